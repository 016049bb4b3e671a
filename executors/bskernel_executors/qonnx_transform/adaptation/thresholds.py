"""Quantizers that no Quant with the zero point 0 can express, as thresholds: exact for every float32 input.

A quantizer rises with its input, so it is counted by thresholds: threshold i is the smallest float32 number that
reaches level i. They are found by search over all float32 numbers with the arithmetic of qonnx itself.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from bskernel_executors.dataflow.widths import find_smallest_type
from bskernel_executors.qonnx_transform.adaptation.domains import QONNX
from bskernel_executors.qonnx_transform.adaptation.network_graph import NetworkGraph

MOST_BITS = 12  # 4095 thresholds per channel
_SIGN = 1 << 31


class Levels(NamedTuple):
    """A quantizer: clip(round(x / scale + zero), low, high) - zero, times scale."""

    scale: Any  # float32, one value or one per channel, in the shape that broadcasts against the input
    zero: float
    low: int
    high: int
    mode: str = "ROUND"  # of qonnx

    def count(self, values: Any) -> Any:
        """The integers that float32 values of the shape of `scale` become, before the zero point is taken off."""
        import numpy as np
        from qonnx.custom_op.general.intquant import resolve_rounding_mode

        with np.errstate(over="ignore"):
            shifted = values / self.scale + np.float32(self.zero)
        return resolve_rounding_mode(self.mode)(np.clip(shifted, np.float32(self.low), np.float32(self.high)))


def find_thresholds(levels: Levels) -> Any:
    """Thresholds of shape (channels, high - low), rising: the smallest inputs that reach low + 1 ... high."""
    import numpy as np

    flat = Levels(np.asarray(levels.scale, np.float32).reshape(-1, 1), *levels[1:])
    wanted = np.arange(levels.low + 1, levels.high + 1)[None, :]
    below = np.full((len(flat.scale), wanted.size), _key(np.finfo(np.float32).min))
    reached = np.full_like(below, _key(np.finfo(np.float32).max))
    while (reached - below > 1).any():
        middle = (below + reached) // 2
        enough = flat.count(_float(middle)) >= wanted
        reached, below = np.where(enough, middle, reached), np.where(enough, below, middle)
    return _float(reached)


def _key(value: Any) -> Any:
    """A whole number for a float32 that rises with it."""
    import numpy as np

    bits = int(np.float32(value).view(np.uint32))
    return np.int64(bits if bits < _SIGN else _SIGN - bits)


def _float(keys: Any) -> Any:
    """The float32 numbers of keys."""
    import numpy as np

    return np.where(keys >= 0, keys, _SIGN - keys).astype(np.uint32).view(np.float32)


def make_threshold_nodes(network: NetworkGraph, name: str, source: str, target: str, levels: Levels) -> list[Any]:
    """A MultiThreshold that gives the integers without their zero point, and the Mul by the scale.

    Scales per channel must be along axis 1 of the source.
    """
    import numpy as np
    from onnx import helper

    low, high = (int(bound - levels.zero) for bound in (levels.low, levels.high))
    datatype, _ = find_smallest_type(low, high)
    integers = network.new_tensor(f"{target}_integers")
    thresholds = network.add_constant(f"{name}_thresholds", find_thresholds(levels))
    scale = network.add_constant(f"{name}_scale", np.asarray(levels.scale, np.float32))
    count = helper.make_node(
        "MultiThreshold",
        [source, thresholds],
        [integers],
        name=network.new_name(f"{name}_MultiThreshold"),
        domain=QONNX,
        out_dtype=datatype,
        out_scale=1.0,
        out_bias=float(low),
    )
    network.import_qonnx()
    return [count, helper.make_node("Mul", [integers, scale], [target], name=network.new_name(f"{name}_Mul"))]
