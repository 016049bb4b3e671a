"""Call one FINN step function: unpack its inputs, check the model, pack its outputs."""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bskernel_executors.exchange.coverage_texts import describe_all_outside, describe_left_over
from bskernel_executors.exchange.fifo_config import read_fifo_depths
from bskernel_executors.finn_step.coverage import find_coverage
from bskernel_executors.finn_step.folding_check import find_violations, is_unfolded, read_layers
from bskernel_executors.finn_step.known_steps import OUTPUT_TYPES, TOOLS
from bskernel_executors.finn_step.layer_config import check_layer_config, describe_layers, read_layer_config
from bskernel_executors.finn_step.main_output import copy_main_output
from bskernel_executors.finn_step.parameters import FILES, choose_finns_target, make_config
from bskernel_executors.finn_step.paths import find_places, set_environment
from bskernel_executors.finn_step.requant_layers import keep_thresholds
from bskernel_executors.finn_step.tool_steps import call_with_tools, check_dependencies, digest_reports, note_makers
from bskernel_executors.sdk import Step, StepFailure
from bskernel_executors.sdk.relocation import moves_from_here, moves_to_here, read_model, relocate_tree, write_model
from bskernel_executors.sdk.tools import preload_libudev
from bskernel_executors.vivado_reports.redaction import redact_tree

StepFunction = Callable[[Any, Any], Any]
_FOLDING_STEPS = frozenset({"step_apply_folding_config", "step_target_fps_parallelization"})
_NAMED = 5  # files that a warning names
_NODES_SHOWN = 4
_AUTO_FOLDING = "auto_folding_config.json"
_APPLIED_FOLDING = "applied_folding_config.json"
# What FINN writes of a layer into its own folding file.
_FOLDING_ATTRIBUTES = (
    "PE",
    "SIMD",
    "parallel_window",
    "ram_style",
    "ram_style_thresholds",
    "resType",
    "mac_resource",
    "mem_mode",
    "runtime_writeable_weights",
    "depth_trigger_uram",
    "depth_trigger_bram",
)
_PROJECT = "stitched_ip"
_PARTITION = "step_create_dataflow_partition"
_PARTITIONS = "intermediate_models/supported_op_partitions"


def unpack_inputs(step: Step[Any]) -> tuple[Any, Path, Path]:
    """Return the model, and copies of output directory and build directory in work/.

    All have this machine's paths for the placeholders.
    """
    from qonnx.core.modelwrapper import ModelWrapper

    output, state = (step.work / name for name in ("output", "state"))
    moves = moves_to_here(find_places(step))
    model = ModelWrapper(read_model(step.required_input("model"), moves))
    for name, path in (("output", output), ("state", state)):
        given = step.input(name)
        if given is None:
            path.mkdir()
        else:
            relocate_tree(given, path, moves)
    (output / "report").mkdir(exist_ok=True)
    set_environment(step, state)
    return model, output, state


def _check_target(values: dict[str, Any]) -> None:
    """Raise StepFailure (config) for an unknown board: planning checks target.board, but not `board` of a step."""
    board = values.get("board")
    boards = importlib.import_module("finn.util.basic").part_map
    if board is not None and board not in boards:
        raise StepFailure(
            category="config",
            message=f"target.board {board!r} is unknown to FINN",
            hint=f"boards: {', '.join(sorted(boards))}; or set target.part",
        )


def _check_files(step: Step[Any], model: Any) -> None:
    """Raise StepFailure (config) for a user's file that FINN would misread or ignore in part."""
    for key in FILES.values():
        path = step.input(key)
        if path is None:
            continue
        if key == "fifo_config":
            read_fifo_depths(path)
        else:
            check_layer_config(read_layer_config(path, key), key, describe_layers(model))


def _is_configured(step: Step[Any], output: Path) -> bool:
    """Return whether the user has given a folding, or FINN has found one for a target_fps."""
    found = (output / "report" / _AUTO_FOLDING, output / _AUTO_FOLDING)
    return step.input("folding_config") is not None or any(path.is_file() for path in found)


def _check_folding(name: str, model: Any, *, is_configured: bool) -> list[str]:
    """Return warnings about the folding. Raises StepFailure (config) when hardware cannot have it."""
    layers = read_layers(model)
    wrong = find_violations(layers)
    if wrong:
        raise StepFailure(
            category="config",
            message=f"{name}: {wrong[0]}",
            cause=wrong[1:],
            hint="change PE and SIMD in the folding config",
        )
    if name == "step_apply_folding_config" and not is_configured and is_unfolded(layers):
        return ["every layer has PE = SIMD = 1, the slowest folding: set target.target_fps or give a folding_config"]
    return []


def _report_folding(model: Any, report: Path) -> None:
    """Write the folding that the model has, in the form of FINN's own file.

    FINN writes only the one that it found for a target_fps, which a given folding replaces.
    """
    from qonnx.util.config import extract_model_config_to_json

    extract_model_config_to_json(model, str(report), list(_FOLDING_ATTRIBUTES))


def remove_binaries(files: Iterable[Path], where: str) -> list[str]:
    """Remove binary files that contain a path of this machine; return a warning that names them."""
    files = list(files)
    for path in files:
        path.unlink()
    if not files:
        return []
    names = ", ".join(sorted({path.name for path in files})[:_NAMED])
    return [f"{len(files)} binary files with a path of this machine are left out of `{where}`: {names}"]


def _hint_values(model: Any) -> dict[str, str]:
    """Return values for hints in rules.toml: `left_over`, what is not hardware and why, and FINN's `boards`."""
    boards = importlib.import_module("finn.util.basic").part_map
    coverage = find_coverage(model)
    left = describe_left_over(coverage) or describe_all_outside(coverage)
    more = f"; and {len(left) - _NODES_SHOWN} more" if len(left) > _NODES_SHOWN else ""
    return {"left_over": "; ".join(left[:_NODES_SHOWN]) + more or "no node", "boards": ", ".join(sorted(boards))}


def _call(
    step: Step[Any], name: str, function: StepFunction, model: Any, config: Any, paths: tuple[Path, Path]
) -> Any:
    """Call the step function, with the tools that it runs; `paths` are its output and state."""
    output, state = paths
    if name not in TOOLS:
        return function(model, config)
    check_dependencies(step, name, model)
    reports = digest_reports(output)
    after = call_with_tools(step, name, lambda: function(model, config), state)
    note_makers(step, output, reports)
    return after


def run_step(step: Step[Any], name: str, function: StepFunction, values: dict[str, Any]) -> None:
    """Call one FINN step function and write its outputs. Raises StepFailure."""
    from finn.builder import build_dataflow_config
    from qonnx.core.modelwrapper import ModelWrapper

    values = choose_finns_target(values)
    before, output, state = unpack_inputs(step)
    if name in TOOLS:
        os.environ.update(preload_libudev())
    files = {field: path for field, name in FILES.items() if (path := step.input(name)) is not None}
    types = build_dataflow_config.DataflowOutputType
    outputs = [types.ESTIMATE_REPORTS, *map(types, OUTPUT_TYPES.get(name, ()))]
    config = make_config(build_dataflow_config.DataflowBuildConfig, values, files, output, outputs)
    _check_target(values)
    nodes = len(before.graph.node)
    _check_files(step, before)
    warnings = keep_thresholds(config, before) if name == "step_convert_to_hw" else []
    try:
        after = _call(step, name, function, before, config, (output, state))
    except Exception:
        # What a hint lacks must not replace the failure that it is for.
        with contextlib.suppress(Exception):
            step.set_hint_values(**_hint_values(before))
        raise
    if not isinstance(after, ModelWrapper):
        raise StepFailure(message=f"{name} returned a {type(after).__name__}, not a model")
    if name == _PARTITION:
        # The step's model once more, which every later step would take and hand on.
        shutil.rmtree(output / _PARTITIONS)
    configured = _is_configured(step, output)
    if name in _FOLDING_STEPS:
        warnings += _check_folding(name, after, is_configured=configured)
    if name == "step_apply_folding_config" and step.input("folding_config") is not None:
        _report_folding(after, output / "report" / _APPLIED_FOLDING)
    moves = moves_from_here(find_places(step))
    write_model(after.model, step.output("model"), moves)
    # FINN copies the project of the stitched IP there. Anywhere else in its output such a file is an error.
    projects = step.output("output") / _PROJECT
    left = relocate_tree(output, step.output("output"), moves)
    warnings += remove_binaries((path for path in left if projects in path.parents), f"output/{_PROJECT}")
    warnings += remove_binaries(relocate_tree(state, step.output("state"), moves), "state")
    for tree in ("output", "state") if name in TOOLS else ():
        redact_tree(step.output(tree))
    copy_main_output(step, name, after)
    step.record(
        {
            "nodes_before": nodes,
            "nodes_after": len(after.graph.node),
            "summary": [{"label": "warning", "value": text, "note": name} for text in warnings],
        }
    )
