"""One call of a FINN step function: its state laid out, the model checked on both sides, what it leaves taken."""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from bskernel_executors.finn_step.folding import is_unfolded, layers_of, violations
from bskernel_executors.finn_step.hint_values import hint_values
from bskernel_executors.finn_step.parameters import FILES, make_config
from bskernel_executors.finn_step.places import from_here, surround, to_here
from bskernel_executors.finn_step.products import keep_product
from bskernel_executors.finn_step.stages import PRODUCTS, TOOLS
from bskernel_executors.finn_step.tool_steps import call_with_tools, check_dependencies, digests_of, note_makers
from bskernel_executors.sdk import Step, StepFailure
from bskernel_executors.sdk.relocation import relocate_model, relocate_tree
from bskernel_executors.sdk.tools import preload_libudev
from bskernel_executors.vivado_reports.portable import depersonalise

StepFunction = Callable[[Any, Any], Any]
_FOLD = frozenset({"step_apply_folding_config", "step_target_fps_parallelization"})
_NAMED = 5  # files that a warning names
_PROJECT = "stitched_ip"
_PART = re.compile(r"xc[0-9a-z]{2,9}-?[a-z]{3,4}[0-9]{3,4}(-[0-9a-z]+)+", re.IGNORECASE)


def lay_out(step: Step[Any]) -> tuple[Path, Path, Path]:
    """Model, output directory and build directory in work/, with this machine's paths in place of the tokens."""
    model, output, state = (step.work / name for name in ("model.onnx", "output", "state"))
    moves = to_here(step)
    relocate_model(step.required_input("model"), model, moves)
    for name, path in (("output", output), ("state", state)):
        given = step.input(name)
        if given is None:
            path.mkdir()
        else:
            relocate_tree(given, path, moves)
    (output / "report").mkdir(exist_ok=True)
    surround(step, state)
    return model, output, state


def _check_target(values: dict[str, Any]) -> None:
    """FINN's estimates take any text for a part: one that AMD does not make is refused here."""
    part, board = values.get("fpga_part"), values.get("board")
    if part is not None and not _PART.fullmatch(part):
        raise StepFailure(
            category="config",
            message=f"target.part {part!r} is not the name of an AMD part with its package and speed grade",
            hint='such as "xczu7ev-ffvc1156-2-e" or "xc7z020clg400-1"',
        )
    boards = importlib.import_module("finn.util.basic").part_map
    if board is not None and board not in boards:
        raise StepFailure(
            category="config",
            message=f"target.board {board!r} is not one that FINN knows",
            hint=f"boards: {', '.join(sorted(boards))}; or give target.part",
        )


def _check_folding(name: str, model: Any) -> list[str]:
    """Warnings about the folding. Raises StepFailure (config) when no hardware can have it."""
    layers = layers_of(model)
    wrong = violations(layers)
    if wrong:
        raise StepFailure(
            category="config",
            message=f"{name}: {wrong[0]}",
            cause=wrong[1:],
            hint="change PE and SIMD in the folding config",
        )
    if name == "step_apply_folding_config" and is_unfolded(layers):
        return ["every layer has PE = SIMD = 1, the slowest: raise target.target_fps, or give a folding_config"]
    return []


def _without_binaries(files: Iterable[Path], where: str) -> list[str]:
    """Leave out of the tools' projects what they wrote of a path of this machine in their own forms."""
    files = list(files)
    for path in files:
        path.unlink()
    if not files:
        return []
    names = ", ".join(sorted({path.name for path in files})[:_NAMED])
    return [f"{len(files)} binary files with a path of this machine are left out of `{where}`: {names}"]


def run_step(step: Step[Any], name: str, function: StepFunction, values: dict[str, Any]) -> None:
    """Call one FINN step function and write what it leaves behind."""
    from finn.builder import build_dataflow_config
    from qonnx.core.modelwrapper import ModelWrapper

    model_path, output, state = lay_out(step)
    if name in TOOLS:
        os.environ.update(preload_libudev())
    files = {field: path for field, name in FILES.items() if (path := step.input(name)) is not None}
    product = build_dataflow_config.DataflowOutputType
    outputs = [product.ESTIMATE_REPORTS, *map(product, PRODUCTS.get(name, ()))]
    config = make_config(build_dataflow_config.DataflowBuildConfig, values, files, output, outputs)
    _check_target(values)
    before = ModelWrapper(str(model_path))
    nodes = len(before.graph.node)
    step.set_hint_values(**hint_values(before))
    if name in TOOLS:
        check_dependencies(step, name, before)
        reports = digests_of(output)
        after = call_with_tools(step, name, lambda: function(before, config), state)
        note_makers(step, output, reports)
    else:
        after = function(before, config)
    if not isinstance(after, ModelWrapper):
        raise StepFailure(message=f"{name} returned a {type(after).__name__}, not a model")
    warnings = _check_folding(name, after) if name in _FOLD else []
    after.save(str(model_path))
    moves = from_here(step)
    relocate_model(model_path, step.output("model"), moves)
    # FINN copies the project of the stitched IP there; in all else of its output such a file is a mistake.
    projects = step.output("output") / _PROJECT
    left = relocate_tree(output, step.output("output"), moves)
    warnings += _without_binaries((path for path in left if projects in path.parents), f"output/{_PROJECT}")
    warnings += _without_binaries(relocate_tree(state, step.output("state"), moves), "state")
    for tree in ("output", "state") if name in TOOLS else ():
        depersonalise(step.output(tree))
    keep_product(step, name, after)
    step.record(
        {
            "nodes_before": nodes,
            "nodes_after": len(after.graph.node),
            "summary": [{"label": "warning", "value": text, "note": name} for text in warnings],
        }
    )
