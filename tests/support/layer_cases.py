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
LOGIC = ("And", "Or", "Xor", "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")
ELEMENTWISE = (
    elementwise("Add", ("INT4", None), ("UINT7", None), "INT9", [1, 3, 2, 6], 2),
    elementwise("Sub", ("UINT4", None), ("BIPOLAR", None), "INT6", [1, 6], 3),
    elementwise("Mul", ("INT5", None), ("UINT3", ([4], [1, 0, 7, 3])), "INT8", [1, 2, 3, 4], 2),
    elementwise("Sub", ("INT9", ([1], [-200])), ("INT5", None), "INT10", [1, 5], 1),
    elementwise("Add", ("UINT2", None), ("INT3", ([2, 4], [-4, 3, 0, 1, 2, -1, -2, -3])), "INT5", [1, 3, 2, 4], 4),
    elementwise("AbsDiff", ("INT4", None), ("UINT5", None), "UINT6", [1, 8], 4),
    elementwise("Max", ("INT4", None), ("UINT3", ([1], [2])), "UINT4", [1, 8], 2),
    *(elementwise(name, ("INT3", None), ("UINT2", None), "BINARY", [1, 16], 8) for name in LOGIC),
    *(
        elementwise(f"Bitwise{name}", ("INT4", None), ("INT3", None), "INT4", [1, 8], 4)
        for name in ("And", "Or", "Xor")
    ),
    elementwise("BitShift", ("INT5", None), ("UINT2", None), "INT8", [1, 8], 2, direction="LEFT"),
    elementwise("BitShift", ("INT8", None), ("UINT3", ([4], [0, 7, 2, 3])), "INT8", [1, 4], 2, direction="RIGHT"),
)


def replicate(shape: list[int], datatype: str, pe: int, outputs: int) -> Layer:
    *vectors, channels = shape
    attributes = {"num": outputs, "dtype": datatype, "num_elems": channels, "PE": pe, "num_inputs": vectors}
    operands = [{"shape": shape, "datatype": datatype}]
    return {"operator": "ReplicateStream", "attributes": attributes, "operands": operands, "outputs": outputs}


def concat(vectors: list[int], channels: list[int], datatypes: list[str], simd: int) -> Layer:
    return {
        "operator": "StreamingConcat",
        "attributes": {
            "SIMD": simd, "ChannelsPerStream": channels, "inputDataTypes": datatypes, "numInputVectors": vectors,
            "inFIFODepths": [2] * len(channels),
        },
        "operands": [
            {"shape": [*vectors, size], "datatype": datatype}
            for size, datatype in zip(channels, datatypes, strict=True)
        ],
    }  # fmt: skip


def split(vectors: list[int], channels: list[int], datatype: str, simd: int) -> Layer:
    return {
        "operator": "StreamingSplit",
        "attributes": {
            "SIMD": simd, "ChannelsPerStream": channels, "inputDataType": datatype, "numInputVectors": vectors,
            "outFIFODepths": [2] * len(channels),
        },
        "operands": [{"shape": [*vectors, sum(channels)], "datatype": datatype}],
        "outputs": len(channels),
    }  # fmt: skip


def upsample(size: tuple[int, int], factors: tuple[int, int], channels: int, datatype: str, simd: int) -> Layer:
    (height, width), (down, right) = size, factors
    return {
        "operator": "UpsampleNearestNeighbour",
        "attributes": {
            "SIMD": simd, "HI": height, "WI": width, "HO": height * down, "WO": width * right,
            "NumChannels": channels, "inputDataType": datatype,
        },
        "operands": [{"shape": [1, height, width, channels], "datatype": datatype}],
    }  # fmt: skip


def pad_pixels(size: tuple[int, int], stride: tuple[int, int], channels: int, datatype: str, simd: int) -> Layer:
    return {
        "operator": "FMPadding_Pixel",
        "attributes": {
            "ImgDim": list(size), "Stride": list(stride), "NumChannels": channels, "SIMD": simd,
            "inputDataType": datatype,
        },
        "operands": [{"shape": [1, *size, channels], "datatype": datatype}],
    }  # fmt: skip


def lookup(shape: list[int], table: list[list[int]], index: str, datatype: str, frames: int = 4) -> Layer:
    count = 1
    for length in shape:
        count *= length
    return {
        "operator": "Lookup",
        "attributes": {
            "NumEmbeddings": len(table), "EmbeddingDim": len(table[0]), "EmbeddingType": datatype, "InputType": index,
            "InputShape": shape,
        },
        "operands": [
            {
                "shape": shape, "datatype": index, "type": "int64",
                "values": [[(7 * at + 3 * frame) % len(table) for at in range(count)] for frame in range(frames)],
            },
            {"shape": [len(table), len(table[0])], "datatype": datatype, "constant": table},
        ],
        "frames": frames,
    }  # fmt: skip


def rename(operator: str, shape: list[int], axes: list[int], out: list[int], datatype: str, pe: int) -> Layer:
    return {
        "operator": operator,
        "attributes": {
            "axes": axes, "PE": pe, "inp_shape": shape, "out_shape": out,
            "inp_dtype": datatype, "out_dtype": datatype,
        },
        "operands": [{"shape": shape, "datatype": datatype}],
    }  # fmt: skip


def shuffle(shape: list[int], perm: list[int], datatype: str, simd: int) -> Layer:
    out = [shape[axis] for axis in perm]
    return {
        "operator": "OuterShuffle",
        "attributes": {
            "in_shape": shape, "transpose_in_shape": shape, "out_shape": out, "transpose_out_shape": out,
            "perm": perm, "data_type": datatype, "SIMD": simd, "NumChannels": shape[-1],
            "loop_coeffs": [1] * len(shape),
        },
        "operands": [{"shape": shape, "datatype": datatype}],
    }  # fmt: skip


def pool(
    function: str, size: tuple[int, int], window: tuple[int, int], channels: int, pe: int, datatype: str, out: str
) -> Layer:
    shape = [1, *size, window[0] * window[1] * channels]
    return {
        "operator": "Pool",
        "attributes": {
            "Channels": channels, "PE": pe, "KernelSize": list(window), "Function": function,
            "OutImgDims": list(size), "InputDataType": datatype, "OutputDataType": out,
        },
        "operands": [{"shape": shape, "datatype": datatype}],
    }  # fmt: skip


def global_pool(vectors: list[int], channels: int, pe: int, datatype: str) -> Layer:
    return {
        "operator": "GlobalAccPool",
        "attributes": {"NumChannels": channels, "PE": pe, "inputDataType": datatype, "numInputVectors": vectors},
        "operands": [{"shape": [*vectors, channels], "datatype": datatype}],
    }


def label(labels: int, pe: int, k: int, datatype: str, vectors: list[int] | None = None) -> Layer:
    given = vectors or [1]
    return {
        "operator": "LabelSelect",
        "attributes": {"Labels": labels, "PE": pe, "K": k, "inputDataType": datatype, "numInputVectors": given},
        "operands": [{"shape": [*given, labels], "datatype": datatype}],
        "frames": 6,
    }


STREAMS = (
    replicate([1, 3, 4], "INT3", 2, 2),
    concat([1, 2, 2], [4, 2, 6], ["INT3", "UINT4", "BIPOLAR"], 2),
    concat([1], [3, 1], ["UINT2", "UINT5"], 1),
    split([1, 2, 3], [2, 6, 4], "INT5", 2),
    upsample((3, 4), (2, 3), 4, "INT3", 2),
    upsample((2, 3), (1, 2), 2, "UINT4", 2),
    upsample((2, 1), (4, 1), 3, "BIPOLAR", 1),
    pad_pixels((3, 2), (2, 3), 4, "INT4", 2),
    pad_pixels((1, 3), (1, 2), 2, "UINT3", 2),
    lookup([1, 5], [[1, -2], [3, 0], [-4, 3]], "UINT8", "INT3"),
    shuffle([1, 3, 4, 2], [0, 2, 1, 3], "INT5", 2),
    shuffle([1, 2, 3, 2, 6], [0, 3, 2, 1, 4], "UINT3", 2),
    shuffle([1, 5], [0, 1], "BIPOLAR", 5),
    rename("Squeeze", [1, 1, 1, 6], [1, 2], [1, 6], "INT5", 3),
    rename("Unsqueeze", [1, 6], [1, 2], [1, 1, 1, 6], "UINT5", 2),
)
POOLS = (
    pool("MaxPool", (2, 3), (2, 2), 4, 2, "INT4", "INT4"),
    pool("MaxPool", (3, 1), (3, 1), 3, 1, "BIPOLAR", "BIPOLAR"),
    pool("MaxPool", (2, 2), (1, 1), 2, 2, "UINT5", "UINT5"),
    pool("AccPool", (2, 2), (3, 3), 2, 1, "INT3", "INT7"),
    pool("QuantAvgPool", (1, 1), (4, 4), 6, 3, "UINT4", "UINT4"),
    pool("QuantAvgPool", (2, 1), (2, 3), 2, 2, "INT5", "INT4"),
    global_pool([1, 3, 2], 6, 2, "INT4"),
    global_pool([1, 1, 1], 4, 4, "UINT3"),
    global_pool([1, 2, 4], 2, 2, "UINT8"),
    label(10, 1, 1, "INT9"),
    label(12, 3, 5, "INT3"),
    label(4, 4, 1, "UINT2"),
    label(6, 3, 4, "BIPOLAR", [1, 3]),
    label(6, 6, 5, "UINT2", [1, 4]),
)


RANGES = {
    "BIPOLAR": (-1, 1), "BINARY": (0, 1), "INT2": (-2, 1), "INT4": (-8, 7), "UINT3": (0, 7), "INT8": (-128, 127),
}  # fmt: skip


def draw(count: int, datatype: str) -> list[int]:
    """Values of all sizes, in an order without a short period."""
    low, high = RANGES[datatype]
    step = 2 if datatype == "BIPOLAR" else 1  # it has no 0
    return [low + step * ((at * at + 5 * at // 3) % ((high - low) // step + 1)) for at in range(count)]


def matrix(
    rows: int, columns: int, given: str, weights: str, out: str, folding: tuple[int, int], **more: Any
) -> Layer:
    """A matrix of which the input has `rows` values; `folding` is (PE, SIMD)."""
    vectors = more.pop("vectors", [1])
    return {
        "operator": "MVAU",
        "attributes": {
            "PE": folding[0], "SIMD": folding[1], "MW": rows, "MH": columns, "inputDataType": given,
            "weightDataType": weights, "outputDataType": out, "accDataType": out, "noActivation": 1,
            "numInputVectors": vectors, **more,
        },
        "operands": [
            {"shape": [*vectors, rows], "datatype": given},
            {"shape": [rows, columns], "datatype": weights, "constant": draw(rows * columns, weights)},
        ],
    }  # fmt: skip


def depthwise(
    size: tuple[int, int], kernel: tuple[int, int], channels: int, types: tuple[str, str, str],
    folding: tuple[int, int],
) -> Layer:  # fmt: skip
    """A depthwise unit of `types` (input, weights, sums); `folding` is (PE, SIMD)."""
    (given, weights, out), count = types, kernel[0] * kernel[1]
    return {
        "operator": "VVAU",
        "attributes": {
            "PE": folding[0], "SIMD": folding[1], "Dim": list(size), "Channels": channels, "Kernel": list(kernel),
            "inputDataType": given, "weightDataType": weights, "outputDataType": out, "accDataType": out,
            "noActivation": 1,
        },
        "operands": [
            {"shape": [1, *size, count * channels], "datatype": given},
            {"shape": [channels, 1, *kernel], "datatype": weights, "constant": draw(channels * count, weights)},
        ],
    }  # fmt: skip


DOT_PRODUCTS = (
    matrix(12, 6, "BIPOLAR", "BIPOLAR", "UINT4", (2, 3)),
    matrix(8, 4, "BINARY", "BINARY", "UINT4", (4, 8), binaryXnorMode=1),
    matrix(8, 4, "BINARY", "INT4", "INT8", (1, 1), vectors=[1, 2, 2]),
    matrix(6, 6, "INT4", "UINT3", "INT9", (3, 6)),
    matrix(4, 5, "BIPOLAR", "INT2", "INT5", (5, 2)),
    matrix(6, 3, "UINT3", "BINARY", "UINT6", (1, 2)),
    depthwise((2, 3), (3, 3), 4, ("UINT4", "INT4", "INT13"), (2, 3)),
    depthwise((2, 2), (2, 2), 6, ("INT4", "UINT3", "INT12"), (6, 4)),
    depthwise((1, 3), (1, 3), 3, ("INT8", "INT8", "INT18"), (1, 1)),
    depthwise((2, 2), (3, 1), 4, ("BIPOLAR", "BIPOLAR", "UINT2"), (4, 3)),
    depthwise((2, 2), (3, 3), 2, ("UINT4", "BIPOLAR", "INT9"), (1, 9)),
)

ALL = (*DOT_PRODUCTS, *FORKS, *ELEMENTWISE, *STREAMS, *POOLS)
