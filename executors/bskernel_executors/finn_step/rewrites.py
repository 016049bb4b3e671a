"""Rewrites that FINN does not have, for recipes. Each changes the model in place and keeps what it computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from bskernel_executors.finn_step.affine_moves import move_adds_past_products, separate_outputs
from bskernel_executors.finn_step.deconvolution import find_deconvolution_padding

Rewrite: TypeAlias = Callable[[Any], Any]
_LARGEST_RATIO = 1 << 15  # of two scales; above it, integers would no longer be exact in float32


def _attribute(node: Any, name: str) -> Any:
    return next((attribute for attribute in node.attribute if attribute.name == name), None)


def densify_groups(model: Any) -> Any:
    """Make grouped convolutions dense, with weights of 0 between groups. Depthwise ones stay; FINN has them.

    Weights of a type without 0 (BIPOLAR) become INT2.
    """
    import numpy as np
    from qonnx.core.datatype import DataType

    for node in model.graph.node:
        group = _attribute(node, "group")
        weights = model.get_initializer(node.input[1]) if node.op_type == "Conv" else None
        if group is None or group.i == 1 or weights is None:
            continue
        outputs, inputs = weights.shape[0], model.get_tensor_shape(node.input[0])[1]
        groups = group.i
        if groups == inputs == outputs:
            continue
        group.i = 1
        if weights.shape[1] == inputs:  # another convolution has the same weights
            continue
        dense = np.zeros((outputs, inputs, *weights.shape[2:]), dtype=weights.dtype)
        rows, columns = outputs // groups, inputs // groups
        for index in range(groups):
            at = slice(index * rows, (index + 1) * rows)
            dense[at, index * columns : (index + 1) * columns] = weights[at]
        kind = model.get_tensor_datatype(node.input[1])
        model.set_initializer(node.input[1], dense)
        model.set_tensor_datatype(node.input[1], kind if kind.allowed(0) else DataType["INT2"])
    return model


_TO_LAST, _TO_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
_IMAGES = 4  # dimensions of a batch of images


def make_channels_last(model: Any) -> Any:
    """Make max pools and resizes work on N, H, W, C, between two Transposes.

    FINN has this too, but only beside a Transpose, and wrong where the layer forks.
    """
    from onnx import helper
    from qonnx.transformation.infer_shapes import InferShapes

    changed = False
    for node in list(model.graph.node):
        if not _takes_channels_first(model, node):
            continue
        taken, made = node.input[0], node.output[0]
        before, after = model.make_new_valueinfo_name(), model.make_new_valueinfo_name()
        shapes = [model.get_tensor_shape(name) for name in (taken, made)]
        kinds = [model.get_tensor_datatype(name) for name in (taken, made)]
        at = list(model.graph.node).index(node)
        model.graph.node.insert(at + 1, helper.make_node("Transpose", [after], [made], perm=_TO_FIRST))
        model.graph.node.insert(at, helper.make_node("Transpose", [taken], [before], perm=_TO_LAST))
        node.input[0], node.output[0] = before, after
        for name, shape, kind in zip((before, after), shapes, kinds, strict=True):
            model.set_tensor_shape(name, [shape[index] for index in _TO_LAST])
            model.set_tensor_datatype(name, kind)
        if node.op_type == "MaxPool":
            node.op_type, node.domain = "MaxPoolNHWC", "qonnx.custom_op.general"
        else:
            _move_factors(model, node)
        changed = True
    return model.transform(InferShapes()) if changed else model


def _takes_channels_first(model: Any, node: Any) -> bool:
    if node.op_type == "MaxPool":
        dilations = _attribute(node, "dilations")
        return len(model.get_tensor_shape(node.input[0])) == _IMAGES and not (
            dilations is not None and any(size != 1 for size in dilations.ints)
        )
    if node.op_type not in ("Resize", "Upsample"):
        return False
    factors = _factors(model, node)
    return len(factors) == 1 and model.get_tensor_layout(node.input[0]) == ["N", "C", "H", "W"]


def _factors(model: Any, node: Any) -> list[int]:
    """The inputs of a Resize or Upsample with one constant number per dimension: scales or sizes."""
    values = [(at, model.get_initializer(name)) for at, name in enumerate(node.input) if at and name]
    return [at for at, value in values if value is not None and value.shape == (_IMAGES,)]


def _move_factors(model: Any, node: Any) -> None:
    (at,) = _factors(model, node)
    values = model.get_initializer(node.input[at])
    node.input[at] = model.make_new_valueinfo_name()
    model.set_initializer(node.input[at], values[_TO_LAST])


def lower_transposed_convolutions(model: Any) -> Any:
    """Lower transposed convolutions as FINN does, and give each the padding that its sides need.

    FINN pads all sides alike, which is wrong for windows that are not square, and with output_padding. If one of them
    cannot be lowered, all stay.
    """
    from finn.transformation.fpgadataflow.infer_pixel_padding_deconv import InferPixelPaddingDeconv

    found = [node for node in model.graph.node if node.op_type == "ConvTranspose"]
    pads = {node.input[1]: find_deconvolution_padding(node) for node in found}
    if None in pads.values() or len(pads) < len(found):
        return model
    model = model.transform(InferPixelPaddingDeconv())
    for node in model.graph.node:
        window = model.find_producer(node.input[0]) if node.op_type == "MatMul" else None
        if window is not None and window.op_type == "Im2Col" and node.input[1] in pads:
            _attribute(window, "pad_amount").ints[:] = pads[node.input[1]]
    return model


def share_scales(model: Any) -> Any:
    """Give the branches of a join one scale, if all scales are whole multiples of the smallest.

    x * (k * s) becomes (x * k) * s: integers times k stay integers, and the shared s can move past the join.
    """
    import numpy as np
    from onnx import helper
    from qonnx.core.datatype import DataType
    from qonnx.transformation.infer_datatypes import InferDataTypes

    changed = False
    for join in list(model.graph.node):
        if join.op_type not in ("Add", "Concat") or any(
            model.get_initializer(name) is not None for name in join.input
        ):
            continue
        scales = [model.find_producer(name) for name in join.input]
        values = [_scale_of(model, node) for node in scales]
        if len(scales) < 2 or any(value is None for value in values):
            continue
        smallest = min(values, key=abs)
        ratios = [np.float32(round(float(value / smallest))) if smallest else np.float32(0) for value in values]
        exact = all(np.float32(ratio * smallest) == value for ratio, value in zip(ratios, values, strict=True))
        if not exact or all(ratio == 1 for ratio in ratios) or max(map(abs, ratios)) > _LARGEST_RATIO:
            continue
        for node, ratio in zip(scales, ratios, strict=True):
            factor, product = model.make_new_valueinfo_name(), model.make_new_valueinfo_name()
            if ratio != 1:
                whole = helper.make_node("Mul", [node.input[0], factor], [product], name=f"{node.name}_ratio")
                model.graph.node.insert(list(model.graph.node).index(node), whole)
                model.set_initializer(factor, np.asarray(ratio, dtype=np.float32))
                model.set_tensor_datatype(factor, DataType.get_smallest_possible(float(ratio)))
                model.set_tensor_shape(product, model.get_tensor_shape(node.input[0]))
                node.input[0] = product
            shared = model.make_new_valueinfo_name()
            model.set_initializer(shared, np.asarray(smallest, dtype=np.float32))
            node.input[1] = shared
        changed = True
    return model.transform(InferDataTypes()) if changed else model


def _scale_of(model: Any, node: Any) -> Any:
    """The scalar that a node multiplies integers with, for one consumer; None for other nodes."""
    if node is None or node.op_type != "Mul" or len(model.find_consumers(node.output[0])) != 1:
        return None
    value = model.get_initializer(node.input[1])
    integers = model.get_tensor_datatype(node.input[0]).is_integer()
    return value.reshape(())[()] if value is not None and value.size == 1 and integers else None


def clip_thresholds_of_counts(model: Any) -> list[str]:
    """Raise thresholds below 0 to 0 where a converted layer counts equal bits; return the layers' names.

    A count is at least 0, so it reaches either threshold; but FINN refuses negative ones there (XNOR layers).
    """
    import numpy as np

    clipped = []
    for node in model.graph.node:
        mode = _attribute(node, "binaryXnorMode")
        if mode is None or not mode.i or len(node.input) < 3:
            continue
        thresholds = model.get_initializer(node.input[2])
        if thresholds is not None and (thresholds < 0).any():
            model.set_initializer(node.input[2], np.maximum(thresholds, 0).astype(thresholds.dtype))
            clipped.append(str(node.name))
    return clipped


REWRITES: Mapping[str, Rewrite] = {
    "densify_groups": densify_groups,
    "lower_transposed_convolutions": lower_transposed_convolutions,
    "make_channels_last": make_channels_last,
    "move_adds_past_products": move_adds_past_products,
    "separate_outputs": separate_outputs,
    "share_scales": share_scales,
}
