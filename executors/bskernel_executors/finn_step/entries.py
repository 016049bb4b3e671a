"""The entries of the finn-step executor: one for each step of the installed FINN+, and bskernel's own."""

from __future__ import annotations

import importlib
from pathlib import Path

from bskernel_executors.finn_step.calibration import declare_calibration
from bskernel_executors.finn_step.coverage import declare_coverage
from bskernel_executors.finn_step.custom_entry import declare_custom
from bskernel_executors.finn_step.finn_steps import declare_by_recipe, declare_step, find_steps
from bskernel_executors.finn_step.flow_ports import FLOW_INPUTS, FLOW_OUTPUTS
from bskernel_executors.finn_step.folding_entry import declare_folding
from bskernel_executors.finn_step.hls_entries import declare_hls_layers
from bskernel_executors.finn_step.host_entries import declare_host
from bskernel_executors.finn_step.known_reads import analyse_step, find_known_reads
from bskernel_executors.finn_step.library import load
from bskernel_executors.finn_step.open_entries import declare_open_flow, declare_preferences
from bskernel_executors.finn_step.rounding_entry import declare_rounding
from bskernel_executors.finn_step.stitch_check import check_folded
from bskernel_executors.finn_step.stitched_design import is_library_edited
from bskernel_executors.lattice.boards import list_board_parts
from bskernel_executors.quality.entry import declare_evaluate
from bskernel_executors.sdk import Registry, StepFailure
from bskernel_executors.sdk.qonnx_shortcuts import install_shortcuts

registry = Registry(
    executor="finn-step",
    summary="FINN+'s build steps, one at a time",
    rules=Path(__file__).with_name("rules.toml"),
    reuses_processes=True,
)
_BACKENDS = (".fpgadataflow.rtl", ".fpgadataflow.hls")


def _refuse_specialized(path: Path) -> None:
    """Raise StepFailure (config) for a specialized layer: its backend simulates it, Python cannot execute it."""
    from qonnx.core.modelwrapper import ModelWrapper

    for node in ModelWrapper(str(path)).graph.node:
        if node.domain.endswith(_BACKENDS):
            raise StepFailure(
                category="config",
                message=f"{node.name} ({node.op_type}) is specialized for a backend, so Python cannot execute it",
                hint="evaluate before step_specialize_layers",
            )


def _declare_finn() -> None:
    known = find_known_reads()
    install_shortcuts()
    load(defer=bool(known))
    steps, config, settable = find_steps()
    reads = {name: known.get(name) or analyse_step(function, config, settable) for name, function in steps.items()}
    registry.boards = dict(importlib.import_module("finn.util.basic").part_map) | list_board_parts()
    for name in sorted(steps):
        declare_step(registry, name, steps[name], reads[name], settable)
    streamline, convert = (reads[f"step_{name}"] for name in ("streamline", "convert_to_hw"))
    declare_by_recipe(registry, "streamline", "step_streamline", streamline, settable)
    declare_by_recipe(registry, "convert_to_hw", "step_convert_to_hw", convert, settable)
    declare_hls_layers(registry, steps["step_hw_ipgen"], reads["step_hw_ipgen"], settable)
    declare_open_flow(registry)
    if is_library_edited():
        separate = settable | {"standalone_thresholds": (bool, True)}
        declare_by_recipe(registry, "convert_to_hw", "step_convert_to_hw", convert, separate, "convert_to_rtl")
        name = "step_apply_folding_config"
        declare_step(registry, name, steps[name], reads[name], settable, entry="fold_rtl", check=check_folded)


declare_coverage(registry)
declare_custom(registry)
declare_folding(registry)
declare_calibration(registry)
declare_host(registry)
declare_preferences(registry)
declare_rounding(registry, FLOW_INPUTS, FLOW_OUTPUTS)
declare_evaluate(
    registry,
    stages=("qonnx", "finn", "hwgraph"),
    summary="evaluate the network at this stage: accuracy, and agreement with the stage before",
    by="finn-plus",
    refuse=_refuse_specialized,
)
_declare_finn()
