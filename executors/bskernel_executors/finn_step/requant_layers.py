"""Thresholds that FINN+ 1.6.1 would replace by hardware that decides otherwise.

InferRequantLayer makes a multiplication of evenly spaced thresholds of wide outputs. It rounds halves up and ends
where the data type does. A quantizer may round halves to even, and one with a zero point ends earlier: from -120 to
135 in INT9.
"""

from __future__ import annotations

from typing import Any

from bskernel_executors.finn_step.threshold_search import LARGEST, round_up

_EVEN = 1e-2  # FINN takes thresholds as evenly spaced if their distances agree so far
_NEVER = 64  # bits; no output is that wide


def keep_thresholds(config: Any, model: Any) -> list[str]:
    """Have step_convert_to_hw leave thresholds as they are, if a multiplication would differ. Return warnings."""
    widest = getattr(config, "requant_bitwidth_threshold", None)  # FINN+ 1.4 has no Requant
    if widest is None:
        return []
    names = [node.name for node in model.get_nodes_by_op_type("MultiThreshold") if _differs(model, node, widest)]
    if not names:
        return []
    config.requant_bitwidth_threshold = _NEVER
    how = "FINN's Requant layer would round or end otherwise than the quantizer, so all thresholds stay thresholds"
    return [f"{', '.join(names)}: {how}"]


def _differs(model: Any, node: Any, widest: int) -> bool:
    """Whether FINN would make a Requant of the node that gives some value another level."""
    import numpy as np
    from qonnx.core.datatype import DataType
    from qonnx.custom_op.general.quant import max_int, min_int
    from qonnx.custom_op.registry import getCustomOp

    attributes = getCustomOp(node)
    kind = DataType[attributes.get_nodeattr("out_dtype")]
    bias = attributes.get_nodeattr("out_bias")
    thresholds = model.get_initializer(node.input[1])
    unlike = attributes.get_nodeattr("out_scale") != 1 or (kind.signed() and bias == 0)
    if kind.bitwidth() < widest or thresholds is None or unlike:
        return False
    thresholds = np.sort(thresholds, axis=1)
    distances = np.diff(thresholds, axis=1)
    step = distances[:, :1] if distances.size else np.ones((len(thresholds), 1))
    if not np.allclose(distances, step, rtol=_EVEN):
        return False
    narrow = thresholds.shape[1] < (1 << kind.bitwidth()) - 1
    low, high = (bound(kind.signed(), narrow, kind.bitwidth()) for bound in (min_int, max_int))
    scale = (1 / step).astype(np.float32)
    shift = (0.5 - thresholds[:, :1] / step + bias).astype(np.float32)
    for values in _neighbours(thresholds, model.get_tensor_datatype(node.input[0])):
        levels = np.array([np.searchsorted(*pair, side="right") for pair in zip(thresholds, values, strict=True)])
        with np.errstate(over="ignore"):
            sums = values.astype(np.float32) * scale + shift
        found = np.clip(np.floor(sums + np.float32(0.5)), low, high)
        if (found != levels + bias).any():
            return True
    return False


def _neighbours(thresholds: Any, kind: Any) -> tuple[Any, Any]:
    """Return a type's first values at or above the thresholds and its largest; the last ones below and its least."""
    import numpy as np

    if kind.is_integer() or kind.is_fixed_point():
        step = kind.scale_factor() if kind.is_fixed_point() else 1
        above = np.ceil(thresholds / step) * step
        below, least, most = above - step, kind.min(), kind.max()
    else:
        above = round_up(thresholds)
        below, least, most = np.nextafter(above, np.float32(-np.inf)), -LARGEST, LARGEST
    pairs = ((above, most), (below, least))
    ends = [np.pad(values, ((0, 0), (0, 1)), constant_values=end) for values, end in pairs]
    return np.clip(ends[0], least, most), np.clip(ends[1], least, most)
