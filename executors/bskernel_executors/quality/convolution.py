"""Convolution in float64, for which onnxruntime has no kernel."""

from __future__ import annotations

from typing import Any


def convolve(node: Any, values: Any, weights: Any, bias: Any | None = None) -> Any:
    """Compute ONNX's Conv of two dimensions: (N, C, H, W) with (M, C / group, kH, kW).

    Raises ValueError for other ranks and for auto_pad.
    """
    import numpy as np
    from numpy.lib.stride_tricks import sliding_window_view

    given = {item.name: item for item in node.attribute}
    if values.ndim != weights.ndim or values.ndim != 4 or "auto_pad" in given:
        raise ValueError("only convolutions of two dimensions with explicit pads")
    top, left, bottom, right = given["pads"].ints if "pads" in given else (0, 0, 0, 0)
    strides = list(given["strides"].ints) if "strides" in given else [1, 1]
    dilations = list(given["dilations"].ints) if "dilations" in given else [1, 1]
    groups = given["group"].i if "group" in given else 1
    padded = np.pad(values, ((0, 0), (0, 0), (top, bottom), (left, right)))
    reach = [(size - 1) * step + 1 for size, step in zip(weights.shape[2:], dilations, strict=True)]
    windows = sliding_window_view(padded, reach, axis=(2, 3))
    windows = windows[:, :, :: strides[0], :: strides[1], :: dilations[0], :: dilations[1]]
    parts = [
        np.tensordot(taken, kernels, axes=([1, 4, 5], [1, 2, 3]))
        for taken, kernels in zip(np.split(windows, groups, axis=1), np.split(weights, groups), strict=True)
    ]
    found = np.concatenate(parts, axis=-1) + (0 if bias is None else bias)
    return np.moveaxis(found, -1, 1)
