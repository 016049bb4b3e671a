"""An executor whose library is a git source of its recipe."""

import sys
from pathlib import Path

import msgspec
import tiny
from bskernel_executors.sdk import Input, Output, Registry, Step

registry = Registry(executor="tiny", summary="multiplies by what the package tiny says")


@registry.entry(
    "multiply",
    summary="multiplies",
    inputs=(Input("model", kind="file"),),
    outputs=(Output("model", kind="file"),),
)
def multiply(step: Step[msgspec.Struct]) -> None:
    table = Path(sys.prefix, "src", "tiny", "data", "deep", "table.txt").read_text()
    step.output("model").write_text(str(tiny.VALUE * int(step.required_input("model").read_text())))
    step.record({"table": table})
