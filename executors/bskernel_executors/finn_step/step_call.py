"""Call one FINN step function: unpack its inputs, check the model, pack its outputs."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bskernel_executors.finn_step.folding_check import find_violations, is_unfolded, read_layers
from bskernel_executors.finn_step.known_steps import OUTPUT_TYPES, TOOLS
from bskernel_executors.finn_step.main_output import copy_main_output
from bskernel_executors.finn_step.parameters import FILES, make_config
from bskernel_executors.finn_step.partial_ranges import keep_partial_ranges
from bskernel_executors.finn_step.paths import moves_from_here, moves_to_here, set_environment
from bskernel_executors.finn_step.tool_steps import call_with_tools, check_dependencies, digest_reports, note_makers
from bskernel_executors.sdk import Step, StepFailure
from bskernel_executors.sdk.relocation import relocate_model, relocate_tree
from bskernel_executors.sdk.tools import preload_libudev
from bskernel_executors.vivado_reports.redaction import redact_tree

StepFunction = Callable[[Any, Any], Any]
_FOLDING_STEPS = frozenset({"step_apply_folding_config", "step_target_fps_parallelization"})
_NAMED = 5  # files that a warning names
_NODES_SHOWN = 12
_PROJECT = "stitched_ip"
_PART = re.compile(r"xc[0-9a-z]{2,9}-?[a-z]{3,4}[0-9]{3,4}(-[0-9a-z]+)+", re.IGNORECASE)


def unpack_inputs(step: Step[Any]) -> tuple[Path, Path, Path]:
    """Copy model, output directory and build directory to work/, with this machine's paths for the placeholders."""
    model, output, state = (step.work / name for name in ("model.onnx", "output", "state"))
    moves = moves_to_here(step)
    relocate_model(step.required_input("model"), model, moves)
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
    """Raise StepFailure (config) for an unknown board or a part of another form: FINN's estimates accept any text."""
    part, board = values.get("fpga_part"), values.get("board")
    if part is not None and not _PART.fullmatch(part):
        raise StepFailure(
            category="config",
            message=f"target.part {part!r} is not an AMD part with package and speed grade",
            hint='examples: "xczu7ev-ffvc1156-2-e", "xc7z020clg400-1"',
        )
    boards = importlib.import_module("finn.util.basic").part_map
    if board is not None and board not in boards:
        raise StepFailure(
            category="config",
            message=f"target.board {board!r} is unknown to FINN",
            hint=f"boards: {', '.join(sorted(boards))}; or set target.part",
        )


def _check_folding(name: str, model: Any) -> list[str]:
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
    if name == "step_apply_folding_config" and is_unfolded(layers):
        return [
            "every layer has PE = SIMD = 1, the slowest folding: raise target.target_fps or give a folding_config"
        ]
    return []


def _remove_binaries(files: Iterable[Path], where: str) -> list[str]:
    """Remove binary files that contain a path of this machine; return a warning that names them."""
    files = list(files)
    for path in files:
        path.unlink()
    if not files:
        return []
    names = ", ".join(sorted({path.name for path in files})[:_NAMED])
    return [f"{len(files)} binary files with a path of this machine are left out of `{where}`: {names}"]


def _hint_values(model: Any) -> dict[str, str]:
    """Return values for hints in rules.toml: `left_over`, the nodes that are not hardware, and FINN's `boards`."""
    nodes = [node for node in model.graph.node if "fpgadataflow" not in node.domain]
    names = ", ".join(f"{node.op_type} {node.name or node.output[0]}" for node in nodes[:_NODES_SHOWN]) or "no node"
    more = f" and {len(nodes) - _NODES_SHOWN} more" if len(nodes) > _NODES_SHOWN else ""
    boards = importlib.import_module("finn.util.basic").part_map
    return {"left_over": names + more, "boards": ", ".join(sorted(boards))}


def run_step(step: Step[Any], name: str, function: StepFunction, values: dict[str, Any]) -> None:
    """Call one FINN step function and write its outputs. Raises StepFailure."""
    from finn.builder import build_dataflow_config
    from qonnx.core.modelwrapper import ModelWrapper

    model_path, output, state = unpack_inputs(step)
    if name in TOOLS:
        os.environ.update(preload_libudev())
    files = {field: path for field, name in FILES.items() if (path := step.input(name)) is not None}
    types = build_dataflow_config.DataflowOutputType
    outputs = [types.ESTIMATE_REPORTS, *map(types, OUTPUT_TYPES.get(name, ()))]
    config = make_config(build_dataflow_config.DataflowBuildConfig, values, files, output, outputs)
    _check_target(values)
    before = ModelWrapper(str(model_path))
    nodes = len(before.graph.node)
    step.set_hint_values(**_hint_values(before))
    warnings = keep_partial_ranges(config, before) if name == "step_convert_to_hw" else []
    if name in TOOLS:
        check_dependencies(step, name, before)
        reports = digest_reports(output)
        after = call_with_tools(step, name, lambda: function(before, config), state)
        note_makers(step, output, reports)
    else:
        after = function(before, config)
    if not isinstance(after, ModelWrapper):
        raise StepFailure(message=f"{name} returned a {type(after).__name__}, not a model")
    warnings += _check_folding(name, after) if name in _FOLDING_STEPS else []
    after.save(str(model_path))
    moves = moves_from_here(step)
    relocate_model(model_path, step.output("model"), moves)
    # FINN copies the project of the stitched IP there. Anywhere else in its output such a file is an error.
    projects = step.output("output") / _PROJECT
    left = relocate_tree(output, step.output("output"), moves)
    warnings += _remove_binaries((path for path in left if projects in path.parents), f"output/{_PROJECT}")
    warnings += _remove_binaries(relocate_tree(state, step.output("state"), moves), "state")
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
