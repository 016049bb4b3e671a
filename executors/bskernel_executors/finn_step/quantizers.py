"""Quantizers of a QONNX model: which level each value gets, computed by qonnx itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_ACTIVATIONS = frozenset({"Relu", "Selu"})  # FINN makes them part of the thresholds
_AFFINE = frozenset({"Add", "BatchNormalization", "Div", "Mul", "Sub"})
QUANTIZERS = frozenset({"BipolarQuant", "Quant"})


@dataclass(frozen=True, kw_only=True)
class Quantizer:
    """A quantizer of activations, with the activation function before it if FINN makes thresholds of both."""

    name: str
    input: str
    output: str
    activation: Any | None  # Relu or Selu
    source: str  # the tensor before all affine nodes, which are before `activation`
    scale: Any  # what values are divided by; shape: broadcasts against the activations
    zero_point: Any
    bits: Any
    signed: bool
    narrow: bool
    rounding_mode: str
    is_bipolar: bool

    @property
    def levels(self) -> int:
        """The number of distinct output values."""
        from qonnx.custom_op.general.quant import max_int, min_int

        if self.is_bipolar:
            return 2
        return int(max_int(self.signed, self.narrow, self.bits) - min_int(self.signed, self.narrow, self.bits)) + 1

    def find_levels(self, values: Any) -> Any:
        """Return the level of each value, from 0 to `levels` - 1, in qonnx's own float32 arithmetic."""
        import numpy as np
        from qonnx.custom_op.general.quant import min_int, quant

        if self.is_bipolar:
            return (values / self.scale + self.zero_point >= 0).astype(np.int64)
        given = quant(
            values, self.scale, self.zero_point, self.bits, self.signed, self.narrow, self.rounding_mode
        ).astype(np.float64)
        steps = given / self.scale.astype(np.float64) + self.zero_point
        return np.rint(steps - min_int(self.signed, self.narrow, self.bits)).astype(np.int64)


def _constants(model: Any, node: Any) -> list[Any]:
    return [model.get_initializer(name) for name in node.input[1:]]


def find_source(model: Any, tensor: str) -> str:
    """Go up from a tensor through affine nodes with constant parameters."""
    while (node := model.find_producer(tensor)) is not None and node.op_type in _AFFINE:
        variable = [name for name in node.input if model.get_initializer(name) is None]
        if len(variable) != 1:
            break
        tensor = variable[0]
    return tensor


def read_quantizer(model: Any, node: Any) -> Quantizer | None:
    """Read a Quant or BipolarQuant node; None if it quantizes a constant or its parameters are not constants."""
    import numpy as np
    from qonnx.custom_op.registry import getCustomOp

    if node.op_type not in QUANTIZERS or model.get_initializer(node.input[0]) is not None:
        return None
    constants = _constants(model, node)
    if any(value is None for value in constants):
        return None
    before = model.find_producer(node.input[0])
    activation = before if before is not None and before.op_type in _ACTIVATIONS else None
    given = activation.input[0] if activation is not None else node.input[0]
    is_quant = node.op_type == "Quant"
    attributes = getCustomOp(node)
    bits = np.asarray(constants[2], dtype=np.float32).reshape(()) if is_quant else np.float32(1)
    signed = not is_quant or bool(attributes.get_nodeattr("signed"))
    return Quantizer(
        name=node.name,
        input=node.input[0],
        output=node.output[0],
        activation=activation,
        source=find_source(model, given),
        scale=np.asarray(constants[0]) if is_quant else np.float32(1),
        zero_point=np.asarray(constants[1]) if is_quant else np.float32(0),
        bits=bits,
        signed=signed,
        narrow=is_quant and bool(attributes.get_nodeattr("narrow")),
        rounding_mode=attributes.get_nodeattr("rounding_mode") if is_quant else "ROUND",
        is_bipolar=not is_quant or (bool(bits == 1) and signed),
    )
