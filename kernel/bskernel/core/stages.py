"""The stages of a model at which a build can begin or end; catalogues say which steps take and leave them."""

from __future__ import annotations

from typing import Literal, TypeAlias, get_args

InputType: TypeAlias = Literal["onnx", "qonnx", "finn", "hwgraph"]
OutputType: TypeAlias = Literal[
    "qonnx", "finn", "hwgraph", "estimates", "rtl", "ip", "netlist", "routed", "bitstream"
]  # fmt: skip
INPUT_TYPES: tuple[str, ...] = get_args(InputType)
OUTPUT_TYPES: tuple[str, ...] = get_args(OutputType)
# What a network is before any step. A step that takes both of them checks the model by itself.
INITIAL_STAGES = frozenset({"onnx", "qonnx"})
