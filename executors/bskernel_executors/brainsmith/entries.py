"""One entry for each step name in the registry of the installed Brainsmith."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import EntryDescription

from bskernel_executors.brainsmith.configuration import (
    FILES,
    fields_of,
    load_config_type,
    make_config,
    parameters_struct,
    settable_fields,
)
from bskernel_executors.brainsmith.known_steps import FAILURES, NEEDS_VIVADO, STAGES
from bskernel_executors.brainsmith.library import StepFunction, load, resolve
from bskernel_executors.brainsmith.step_names import entry_name, list_names
from bskernel_executors.sdk import Entry, Input, Output, Registry, Step, StepFailure
from bskernel_executors.sdk.config_reads import find_fields_read
from bskernel_executors.sdk.guarded_config import Settable
from bskernel_executors.sdk.parameters import describe_parameters
from bskernel_executors.sdk.relocation import Moves, moves_from_here, moves_to_here, relocate_model, relocate_tree

registry = Registry(executor="brainsmith", summary="Brainsmith's steps, its own and FINN's, one at a time")
WORK_TOKEN = "/@bskernel-brainsmith@"  # noqa: S105 - a placeholder path, not a secret
LIBRARY_TOKEN = "/@bskernel-brainsmith-library@"  # noqa: S105 - a placeholder path, not a secret
_INPUTS = (
    Input("model", kind="file", media_type="application/x-onnx"),
    Input("output", kind="tree", required=False),
    Input("state", kind="tree", required=False),
)
_FILE_INPUTS = {
    field: Input(
        name,
        kind="file",
        required=False,
        help=f"JSON: DataflowBuildConfig.{field}",
        source="config",
        media_type="application/json",
    )
    for field, name in FILES.items()
}
_OUTPUTS = (
    Output("model", kind="file", media_type="application/x-onnx"),
    Output("output", kind="tree", help="FINN's output directory after this step"),
    Output("state", kind="tree", help="FINN_BUILD_DIR after this step; relocatable"),
)


def _find_places(step: Step[Any]) -> Moves:
    """Return pairs of path of this machine and placeholder: the scratch folder and the installed libraries."""
    return (str(step.work), WORK_TOKEN), (sys.prefix, LIBRARY_TOKEN)


def _unpack_inputs(step: Step[Any]) -> tuple[Path, Path, Path]:
    """Copy model, output directory and build directory to work/, with this machine's paths for the placeholders."""
    model, output, state = (step.work / name for name in ("model.onnx", "output", "state"))
    for name, path in (("model", model), ("output", output), ("state", state)):
        given = step.input(name)
        if given is None:
            path.mkdir()
            continue
        (relocate_model if path is model else relocate_tree)(given, path, moves_to_here(_find_places(step)))
    (output / "report").mkdir(exist_ok=True)
    os.environ["FINN_BUILD_DIR"] = str(state)
    os.environ["NUM_DEFAULT_WORKERS"] = "1"
    return model, output, state


def _pack_outputs(step: Step[Any], model: Path, output: Path, state: Path) -> None:
    """Write the outputs, with placeholders for this machine's paths."""
    moves = moves_from_here(_find_places(step))
    for name, path in (("output", output), ("state", state)):
        relocate_tree(path, step.output(name), moves)
    relocate_model(model, step.output("model"), moves)


def _check_board(board: str | None) -> None:
    boards = importlib.import_module("finn.util.basic").part_map
    if board is not None and board not in boards:
        raise StepFailure(
            category="config",
            message=f"target.board {board!r} is unknown to FINN",
            hint=f"boards: {', '.join(sorted(boards))}; or set target.part",
        )


def run_step(step: Step[Any], name: str, function: StepFunction) -> None:
    """Call one step function and write its outputs."""
    from qonnx.core.modelwrapper import ModelWrapper

    if name.rpartition(":")[2] in NEEDS_VIVADO and not os.environ.get("XILINX_VIVADO"):
        raise StepFailure(
            category="environment",
            message=f"{name} needs Vivado, which is not installed here",
            hint="stop the build before this step (--to), or use a flow without Vivado",
        )
    values = msgspec.structs.asdict(step.params)
    _check_board(values.get("board"))
    model, output, state = _unpack_inputs(step)
    files = {field: path for field, given in FILES.items() if (path := step.input(given)) is not None}
    config = make_config(values, files, output, step.work)
    before = ModelWrapper(str(model))
    nodes = len(before.graph.node)
    after = function(before, config)
    if not isinstance(after, ModelWrapper):
        raise StepFailure(message=f"{name} returned a {type(after).__name__}, not a model")
    after.save(str(model))
    _pack_outputs(step, model, output, state)
    step.record({"nodes_before": nodes, "nodes_after": len(after.graph.node)})


def _declare(name: str, function: StepFunction, config: type, settable: Settable) -> None:
    read = find_fields_read(function, list(inspect.signature(function).parameters)[1], config, fields_of(settable))
    struct = parameters_struct(entry_name(name).replace(".", "_"), read, settable)
    short = name.rpartition(":")[2]
    stage_in, stage_out = STAGES.get(short, ((), None))
    lines = (inspect.getdoc(function) or "").strip().splitlines()
    registry.add(
        Entry(
            description=EntryDescription(
                name=entry_name(name),
                summary=lines[0] if lines else "a step of Brainsmith",
                parameters=describe_parameters(struct),
                inputs=_INPUTS + tuple(_FILE_INPUTS[field] for field in sorted(read & FILES.keys())),
                outputs=_OUTPUTS,
                stage_in=stage_in,
                stage_out=stage_out,
                needs=("vivado",) if short in NEEDS_VIVADO else (),
                failure=FAILURES.get(short, "transform"),
            ),
            parameters=struct,
            function=lambda step: run_step(step, name, function),
        )
    )


def _declare_all() -> None:
    steps = load()
    config = load_config_type()
    registry.boards = dict(importlib.import_module("finn.util.basic").part_map)
    settable = settable_fields(config)
    for name in list_names(steps):
        _declare(name, steps[name] if name in steps else resolve(name), config, settable)


_declare_all()
