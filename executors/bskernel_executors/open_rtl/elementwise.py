"""Elementwise operations on integers: two streams, or a stream and a constant."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from finn.custom_op.fpgadataflow import elementwise_binary as finn_operators
from finn.custom_op.fpgadataflow.rtl import elementwise_binary_rtl as finn_layers

from bskernel_executors.open_rtl.layer import (
    OpenLayer,
    Range,
    Resources,
    count_bits,
    find_bounds,
    find_kind,
    write_memory,
)
from bskernel_executors.open_rtl.resources import count_elementwise, count_memory
from bskernel_executors.open_rtl.streams import connect
from bskernel_executors.open_rtl.wrapper import Value, write_core

_MEMORY = "constant.dat"
_LONGEST_SHIFT = 64
_NO_CONSTANT, _LEFT, _RIGHT = range(3)  # CONSTANT of bsk_elementwise.sv


def _span(values: Iterable[int]) -> Range:
    found = list(values)
    return min(found), max(found)


def find_range(operation: str, left: Range, right: Range) -> Range:
    """Return a range that holds every result of an operation of bsk_elementwise.sv on values of two ranges."""
    corners = tuple(itertools.product(left, right))
    if operation == "ADD":
        return left[0] + right[0], left[1] + right[1]
    if operation == "SUB":
        return left[0] - right[1], left[1] - right[0]
    if operation == "MUL":
        return _span(a * b for a, b in corners)
    if operation == "ABSDIFF":
        return 0, max(abs(a - b) for a, b in corners)
    if operation == "MAX":
        return max(left[0], right[0]), max(left[1], right[1])
    if operation == "SHIFTLEFT":
        return _span(a << b for a, b in corners)
    if operation == "SHIFTRIGHT":
        return _span(a >> b for a, b in corners)
    if operation.startswith("BITWISE"):
        if operation == "BITWISEAND" and max(left[0], right[0]) >= 0:
            return 0, min(side[1] for side in (left, right) if side[0] >= 0)
        bits = max(count_bits(*left), count_bits(*right))
        return (0 if min(left[0], right[0]) >= 0 else -(1 << (bits - 1))), (1 << (bits - 1)) - 1
    return 0, 1  # comparisons and logic


def find_operation(layer: Any) -> str:
    """Return the operation of bsk_elementwise.sv."""
    kind = str(layer.onnx_node.op_type)
    name = kind.removesuffix("_rtl").removesuffix("_hls").removeprefix("Elementwise").upper()
    return f"SHIFT{layer.get_nodeattr('direction')}" if name == "BITSHIFT" else name


def _trim(shape: Any) -> list[int]:
    """Leave out leading dimensions of size 1."""
    return list(itertools.dropwhile(lambda size: size == 1, map(int, shape)))


class ElementwiseLayer(OpenLayer):
    """An operation on two integers. FINN's class is the last base of a layer."""

    sources = ("bsk_register.sv", "bsk_extend.sv", "bsk_elementwise.sv")

    @classmethod
    def find_refusal(cls, layer: Any) -> str | None:
        """Refuse numbers that are no integers, results that do not fit, and streams of different shapes."""
        types = (layer.lhs_dtype, layer.rhs_dtype, layer.out_dtype)
        for what, datatype in zip(("left operand", "right operand", "result"), types, strict=True):
            if not datatype.is_integer():
                return f"its {what} is {datatype.name}, but the layer computes with integers"
        operation = find_operation(layer)
        left, right, out = map(find_bounds, types)
        if operation.startswith("SHIFT") and not (right[0] >= 0 and right[1] < _LONGEST_SHIFT):
            return f"it shifts by {layer.rhs_dtype.name}, but the layer shifts by 0 to {_LONGEST_SHIFT - 1} bits"
        low, high = find_range(operation, left, right)
        if layer.out_dtype.name == "BIPOLAR" or low < out[0] or high > out[1]:
            return f"its result can be {low} to {high}, which {layer.out_dtype.name} cannot hold"
        styles = (layer.get_nodeattr("lhs_style"), layer.get_nodeattr("rhs_style"))
        if styles == ("const", "const"):
            return "both operands are constants: fold it before conversion"
        whole = _trim(layer.get_nodeattr("out_shape"))
        for what, style in zip(("lhs", "rhs"), styles, strict=True):
            shape = layer.get_nodeattr(f"{what}_shape")
            if style == "input" and _trim(shape) != whole:
                return f"its stream of shape {list(shape)} would have to be repeated: only constants are broadcast"
        return None

    def get_instream_width(self, ind: int = 0) -> int:
        """Return the bits of an operand's stream. A constant has none: the layer contains it."""
        if self._constant == (_LEFT, _RIGHT)[ind]:
            return 0
        return int(super().get_instream_width(ind))

    @property
    def _constant(self) -> int:
        styles = (self.get_nodeattr("lhs_style"), self.get_nodeattr("rhs_style"))
        return styles.index("const") + 1 if "const" in styles else _NO_CONSTANT

    def _count_constant(self, shape: Any) -> int:
        """Count the beats that, repeated, are a constant of some shape in a frame."""
        whole = [int(size) for size in self.get_normal_output_shape()]
        varying = _trim(shape)
        if not varying:
            return 1
        return math.prod(whole[len(whole) - len(varying) :]) // int(self.get_nodeattr("PE"))

    def _write_constant(self, values: Any, datatype: Any, folder: Path) -> int:
        """Write the beats of a constant; return their number."""
        beats, pe = self._count_constant(values.shape), int(self.get_nodeattr("PE"))
        shape = [int(size) for size in self.get_normal_output_shape()]
        padded = (1,) * (len(shape) - values.ndim) + values.shape
        write_memory(
            folder / _MEMORY, np.broadcast_to(values.reshape(padded), shape).reshape(-1, pe)[:beats], datatype
        )
        return beats

    def estimate(self) -> Resources:
        """Estimate the operation of each lane, a register slice, and the memory of a constant."""
        types = (self.lhs_dtype, self.rhs_dtype)
        pe, bits = int(self.get_nodeattr("PE")), [int(datatype.bitwidth()) for datatype in types]
        lut, dsp = count_elementwise(find_operation(self), pe, bits[0], bits[1], int(self.out_dtype.bitwidth()))
        constant = self._constant
        if constant == _NO_CONSTANT:
            return Resources(lut=lut, dsp=dsp)
        width = pe * bits[constant - 1]
        depth = self._count_constant(self.get_nodeattr(("lhs_shape", "rhs_shape")[constant - 1]))
        memory, bram = count_memory(width, depth) if depth > 1 else (0, 0)
        return Resources(lut=lut + memory, bram=bram, dsp=dsp, bits=width * depth)

    def write_body(self, model: Any, folder: Path) -> str:
        """Return the instance of bsk_elementwise."""
        operation = find_operation(self)
        types = (self.lhs_dtype, self.rhs_dtype)
        sides = [find_bounds(datatype) for datatype in types]
        low, high = find_range(operation, *sides)
        bits = max(count_bits(*side) for side in (*sides, (low, high), find_bounds(self.out_dtype)))
        constant = self._constant
        parameters: dict[str, Value] = {"OP": operation, "PE": int(self.get_nodeattr("PE"))}
        for name, datatype in zip(("LHS", "RHS"), types, strict=True):
            parameters |= {f"{name}_BITS": datatype.bitwidth(), f"{name}_KIND": find_kind(datatype)}
        parameters |= {"OUT_BITS": self.out_dtype.bitwidth(), "BITS": bits, "CONSTANT": constant}
        ports: dict[str, str] = {}
        for at, name in enumerate(("lhs", "rhs")):
            if constant == at + 1:
                given = model.get_initializer(self.onnx_node.input[at])
                parameters["N_CONSTANT"] = self._write_constant(given, types[at], folder)
                parameters["INIT_FILE"] = str(folder / _MEMORY)
                ports |= {f"{name}_data": "'0", f"{name}_valid": "1'b1", f"{name}_ready": ""}
            else:
                ports |= {f"{name}_{part}": f"in{at}_{part}" for part in ("data", "valid", "ready")}
        ports |= connect("out0")
        return write_core("bsk_elementwise", parameters, ports)


def _takes_integers(node: Any) -> bool:
    given = {
        attribute.name: attribute.s.decode() for attribute in node.attribute if attribute.name.endswith("_dtype")
    }
    return not any(name.startswith("FLOAT") for name in given.values())


class _FloatsElsewhere:
    """Make FINN's own layer for floats, of which it has RTL for Versal."""

    floats: ClassVar[type]

    def __new__(cls, node: Any, **options: Any) -> Any:
        return object.__new__(cls) if _takes_integers(node) else cls.floats(node, **options)


class AddLayer(_FloatsElsewhere, ElementwiseLayer, finn_operators.ElementwiseAdd):  # type: ignore[misc]
    """The sum of two integers."""

    operator, floats = "ElementwiseAdd", finn_layers.ElementwiseAdd_rtl


class SubtractLayer(_FloatsElsewhere, ElementwiseLayer, finn_operators.ElementwiseSub):  # type: ignore[misc]
    """The difference of two integers."""

    operator, floats = "ElementwiseSub", finn_layers.ElementwiseSub_rtl


class MultiplyLayer(_FloatsElsewhere, ElementwiseLayer, finn_operators.ElementwiseMul):  # type: ignore[misc]
    """The product of two integers."""

    operator, floats = "ElementwiseMul", finn_layers.ElementwiseMul_rtl


OTHERS = (
    "AbsDiff", "Max", "And", "Or", "Xor", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual",
    "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitShift",
)  # fmt: skip


def _make_layer(name: str) -> type[ElementwiseLayer]:
    operator = f"Elementwise{name}"
    bases = (ElementwiseLayer, getattr(finn_operators, operator))
    return type(f"{name}Layer", bases, {"operator": operator, "__doc__": f"FINN's {operator} of integers."})


ELEMENTWISE_LAYERS: tuple[type[ElementwiseLayer], ...] = (
    AddLayer,
    SubtractLayer,
    MultiplyLayer,
    *map(_make_layer, OTHERS),
)
