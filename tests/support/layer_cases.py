"""Layers of every kind and limit, small enough to simulate with each change."""

from typing import Any

Layer = dict[str, Any]


def fork(shape: list[int], datatype: str, pe: int, outputs: int) -> Layer:
    *vectors, channels = shape
    return {
        "operator": "DuplicateStreams",
        "attributes": {
            "NumChannels": channels, "PE": pe, "NumOutputStreams": outputs, "inputDataType": datatype,
            "numInputVectors": vectors, "outFIFODepths": [2] * outputs,
        },
        "operands": [{"shape": shape, "datatype": datatype}],
        "outputs": outputs,
    }  # fmt: skip


def elementwise(
    operation: str, left: tuple[str, Any], right: tuple[str, Any], out: str, shape: list[int], pe: int, **more: Any
) -> Layer:
    """An operand is its data type and None for a stream, or a constant of (shape, values)."""
    operands, attributes = [], dict(more)
    for name, (datatype, constant) in (("lhs", left), ("rhs", right)):
        given = shape if constant is None else constant[0]
        attributes |= {f"{name}_dtype": datatype, f"{name}_shape": given}
        attributes[f"{name}_style"] = "input" if constant is None else "const"
        operand = {"shape": given, "datatype": datatype}
        operands.append(operand if constant is None else operand | {"constant": constant[1]})
    return {
        "operator": f"Elementwise{operation}",
        "attributes": attributes | {"out_dtype": out, "out_shape": shape, "PE": pe},
        "operands": operands,
    }


FORKS = (
    fork([1, 3, 2, 6], "INT3", 2, 2),
    fork([1, 8], "BIPOLAR", 4, 3),
    fork([1, 8], "FIXED<6,3>", 8, 2),
)
ELEMENTWISE = (
    elementwise("Add", ("INT4", None), ("UINT7", None), "INT9", [1, 3, 2, 6], 2),
    elementwise("Sub", ("UINT4", None), ("BIPOLAR", None), "INT6", [1, 6], 3),
    elementwise("Mul", ("INT5", None), ("UINT3", ([4], [1, 0, 7, 3])), "INT8", [1, 2, 3, 4], 2),
    elementwise("Sub", ("INT9", ([1], [-200])), ("INT5", None), "INT10", [1, 5], 1),
    elementwise("Add", ("UINT2", None), ("INT3", ([2, 4], [-4, 3, 0, 1, 2, -1, -2, -3])), "INT5", [1, 3, 2, 4], 4),
)
