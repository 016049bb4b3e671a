"""Layers that Yosys counts, and layers that the library cannot implement."""

from support.layer_cases import (
    concat,
    elementwise,
    fork,
    global_pool,
    label,
    pad_pixels,
    pool,
    shuffle,
    split,
    upsample,
)

# Layers whose resources are counted by Yosys.
RAMP = [(7919 * at + 13 * at * at) % 255 - 127 for at in range(2048)]
SYNTHESISED = (
    fork([1, 2, 2, 64], "INT8", 8, 3),
    elementwise("Add", ("INT8", None), ("INT8", None), "INT9", [1, 8], 4),
    elementwise("Mul", ("INT4", None), ("INT4", None), "INT8", [1, 8], 4),
    elementwise("Mul", ("INT16", None), ("INT16", None), "INT32", [1, 8], 4),
    elementwise("Mul", ("INT8", None), ("INT8", ([2048], RAMP)), "INT16", [1, 2048], 2),
    elementwise("Max", ("INT8", None), ("INT8", None), "INT8", [1, 8], 4),
    pool("MaxPool", (2, 2), (2, 2), 8, 8, "INT4", "INT4"),
    pool("AccPool", (2, 2), (3, 3), 8, 8, "UINT8", "UINT12"),
    global_pool([1, 8, 8], 512, 8, "INT4"),
    label(100, 4, 3, "INT12"),
    concat([1, 2, 2], [8] * 4, ["INT8"] * 4, 8),
    split([1, 2, 2], [8] * 4, "INT8", 8),
    upsample((32, 32), (2, 2), 64, "INT8", 4),
    pad_pixels((8, 8), (2, 2), 16, "INT4", 4),
    shuffle([1, 4, 4, 8], [0, 2, 1, 3], "INT8", 4),
    shuffle([1, 8, 4, 4, 8], [0, 3, 2, 1, 4], "INT4", 2),
)

# Layers that the library cannot implement, and what its reason names.
REFUSED = (
    (pool("AvgPool", (2, 2), (2, 2), 4, 2, "INT4", "INT4"), "AvgPool gives fractions"),
    (pool("AccPool", (2, 2), (3, 3), 2, 1, "INT3", "INT6"), "-36 to 27, which INT6 cannot hold"),
    (global_pool([1, 2, 2], 4, 2, "BIPOLAR"), "-4 to 4, which INT3 cannot hold"),
    (elementwise("Mul", ("INT4", None), ("UINT7", None), "INT10", [1, 4], 2), "which INT10 cannot hold"),
    (elementwise("Add", ("INT4", None), ("FIXED<8,4>", None), "INT9", [1, 4], 2), "right operand is FIXED<8,4>"),
    (elementwise("Add", ("FLOAT32", None), ("FLOAT32", None), "FLOAT32", [1, 4], 2), "left operand is FLOAT32"),
    (elementwise("BitShift", ("INT4", None), ("INT3", None), "INT20", [1, 4], 2, direction="LEFT"), "shifts by INT3"),
    (upsample((3, 4), (2, 3), 4, "INT3", 2) | {"attributes": {"SIMD": 1, "HI": 3, "WI": 4, "HO": 7, "WO": 8,
     "NumChannels": 4, "inputDataType": "INT3"}}, "HO = 7 is no multiple of HI = 3"),
    (shuffle([1, 2, 3], [0, 2, 1], "INT4", 1), "it moves the innermost axis"),
    (concat([1], [4, 3], ["INT3", "INT3"], 2), "SIMD = 2 does not divide the 3 channels"),
)  # fmt: skip
