"""Thresholds of a part of their data type's range, which FINN+ 1.6.1 would turn into hardware that counts further.

InferRequantLayer replaces evenly spaced thresholds of wide outputs by a multiplication that clips at the ends of the
data type. A quantizer with a zero point ends earlier: its integers may go from -120 to 135, in INT9.
"""

from __future__ import annotations

from typing import Any

_NEVER = 64  # bits; no output is that wide


def keep_partial_ranges(config: Any, model: Any) -> list[str]:
    """Have step_convert_to_hw leave thresholds as they are, if the model has such ones. Return a warning for it."""
    from qonnx.core.datatype import DataType
    from qonnx.custom_op.registry import getCustomOp

    widest = getattr(config, "requant_bitwidth_threshold", None)  # FINN+ 1.4 has no Requant
    if widest is None:
        return []
    names = []
    for node in model.get_nodes_by_op_type("MultiThreshold"):
        bits = DataType[getCustomOp(node).get_nodeattr("out_dtype")].bitwidth()
        counted = model.get_tensor_shape(node.input[1])[1]
        if bits >= widest and counted < (1 << bits) - 2:
            names.append(node.name)
    if not names:
        return []
    config.requant_bitwidth_threshold = _NEVER
    return [f"{', '.join(names)} have fewer levels than their data type: all thresholds stay thresholds, no Requant"]
