"""The entries: three honest ones, and one that does any of the hostile behaviours."""

import json
import time
from pathlib import Path
from typing import Annotated

import msgspec
from bskernel_executors.sdk import Input, Output, Registry, Step, parameter

# Each module adds its behaviours to the list.
from . import files, handles, links, outputs, processes, reach, resources, siblings  # noqa: F401
from .behaviour import BEHAVIOURS, Aims

registry = Registry(executor="chaos", summary="steps for the chaos campaign")
MODEL_IN = (Input("model", kind="file", help="a number"),)
MODEL_OUT = (Output("model", kind="file"),)
LARGE = 1_200_000  # bytes: above what a store clones or copies at once


class Number(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    number: Annotated[int, parameter("what to add", default_from="target.target_fps")] = 1


@registry.entry(
    "grow",
    summary="makes a tree of a number, and takes a moment, so that others can interfere",
    inputs=MODEL_IN,
    outputs=(Output("tree", kind="tree"),),
)
def grow(step: Step[msgspec.Struct]) -> None:
    number = int(step.required_input("model").read_text())
    tree = step.output("tree")
    (tree / "leaves" / "deep").mkdir(parents=True)
    for leaf in range(number):
        (tree / "leaves" / f"{leaf}.txt").write_text(f"leaf {leaf} of {number}\n" * 20)
    time.sleep(0.2)
    (tree / "leaves" / "deep" / "large.bin").write_bytes(bytes(range(256)) * (LARGE // 256))
    (tree / "run.sh").write_text("#!/bin/sh\necho grown\n")
    (tree / "run.sh").chmod(0o755)
    step.record({"leaves": number})
    print(f"grown {number} leaves")


@registry.entry("add", summary="adds", parameters=Number, inputs=MODEL_IN, outputs=MODEL_OUT, stage_out="finn")
def add(step: Step[Number]) -> None:
    step.output("model").write_text(str(int(step.required_input("model").read_text()) + step.params.number))
    step.progress("added")


@registry.entry(
    "weigh",
    summary="counts the files of a tree, and the number",
    inputs=(*MODEL_IN, Input("tree", kind="tree")),
    outputs=(*MODEL_OUT, Output("metrics", kind="file", media_type="application/json")),
)
def weigh(step: Step[msgspec.Struct]) -> None:
    number = int(step.required_input("model").read_text())
    leaves = sorted(path for path in step.required_input("tree").rglob("*") if path.is_file())
    weight = sum(path.stat().st_size for path in leaves)
    step.output("model").write_text(f"{number} {len(leaves)} {weight}")
    quantities = [{"value": weight, "unit": "bytes", "stage": "estimate", "source": "chaos"}]
    step.output("metrics").write_text(json.dumps({"weight": quantities}))


class Misdeed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    how: Annotated[str, parameter("which of the behaviours")]
    outside: Annotated[str, parameter("a folder that is none of its business")]
    port: Annotated[int, parameter("where somebody listens")]


@registry.entry(
    "misbehave",
    summary="misbehaves",
    parameters=Misdeed,
    inputs=MODEL_IN,
    outputs=(
        *MODEL_OUT,
        Output("tree", kind="tree", required=False),
        Output("metrics", kind="file", media_type="application/json", required=False),
    ),
    failure="transform",
)
def misbehave(step: Step[Misdeed]) -> None:
    step.output("model").write_text("1")
    BEHAVIOURS[step.params.how].act(step, Aims(outside=Path(step.params.outside), port=step.params.port))
