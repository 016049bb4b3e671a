"""Make FINN's thresholds agree with the quantizers that they were made from, on every float32 number."""

from __future__ import annotations

from typing import Any, NamedTuple

from bskernel_executors.finn_step.affine_chain import (
    AffineChain,
    ChainProgram,
    find_chain,
    find_channel_axis,
    find_directions,
)
from bskernel_executors.finn_step.exact_sums import ExactSums, Grid
from bskernel_executors.finn_step.quantizers import Quantizer, read_quantizer
from bskernel_executors.finn_step.rounding_report import RoundingReport
from bskernel_executors.finn_step.threshold_pairs import pair_thresholds
from bskernel_executors.finn_step.threshold_search import find_thresholds, round_up


def _absorb(model: Any, node: Any, found: _Search) -> None:
    """Let the threshold node take the chain's input, with a change of sign where values fall. Removes the chain."""
    import numpy as np
    from onnx import TensorProto, helper
    from qonnx.core.datatype import DataType

    chain, directions = found.chain, found.directions
    shape = model.get_tensor_shape(chain.source)
    at = list(model.graph.node).index(chain.nodes[0]) if chain.nodes else 0
    for item in chain.nodes:
        model.graph.node.remove(item)
    node.input[0] = chain.source
    if (directions > 0).all():
        return
    sign = model.make_new_valueinfo_name()
    aligned = [1] * len(shape)
    aligned[found.axis] = directions.size
    model.set_initializer(sign, directions.reshape(aligned).astype(np.float32))
    model.set_tensor_datatype(sign, DataType["BIPOLAR"])
    signed = model.make_new_valueinfo_name()
    model.graph.value_info.append(helper.make_tensor_value_info(signed, TensorProto.FLOAT, shape))
    model.graph.node.insert(at, helper.make_node("Mul", [chain.source, sign], [signed]))
    node.input[0] = signed


class _Search(NamedTuple):
    """Exact thresholds of a quantizer, on the input of a chain of affine nodes before it."""

    thresholds: Any  # float64, (channels or 1, levels - 1)
    chain: AffineChain
    directions: Any  # (channels or 1,): -1 where values fall
    axis: int


def _search(model: Any, quantizer: Quantizer, tensor: str, axis: int, *, with_chain: bool = True) -> _Search:
    """Search the thresholds before the affine nodes that compute `tensor`, or on `tensor` itself."""
    import numpy as np

    shape = model.get_tensor_shape(tensor)
    chain = find_chain(model, tensor, axis) if with_chain else AffineChain(tensor, (), per_channel=False)
    channels = shape[axis] if chain.per_channel or np.size(quantizer.scale) > 1 else 1
    directions = find_directions(model, chain, channels)
    nodes = [*chain.nodes, *([quantizer.activation] if quantizer.activation is not None else [])]
    program = ChainProgram(model, nodes, axis, len(shape))

    def find_levels(values: Any) -> Any:
        given = program.spread((values * directions[:, None]).astype(np.float32))
        with np.errstate(over="ignore", invalid="ignore"):
            return program.gather(quantizer.find_levels(program.run(given)), channels)

    return _Search(find_thresholds(find_levels, channels, quantizer.levels - 1), chain, directions, axis)


def _refuse(model: Any, node: Any | None, quantizer: Quantizer) -> str | None:
    """Say why a quantizer's thresholds cannot be replaced."""
    import numpy as np
    from qonnx.custom_op.general.quant import resolve_rounding_mode

    if node is None or node.op_type != "MultiThreshold":
        return "FINN made no thresholds of it"
    shape = model.get_tensor_shape(node.input[0])
    given = model.get_initializer(node.input[1])
    if shape is None or len(shape) < 2 or given is None:
        return "its thresholds or its shape are unknown"
    if given.shape[-1] != quantizer.levels - 1:
        return f"it has {quantizer.levels} levels, but {given.shape[-1]} thresholds"
    try:
        resolve_rounding_mode(quantizer.rounding_mode)
    except ValueError:
        return f"qonnx does not know its rounding mode {quantizer.rounding_mode}"
    return None if (np.asarray(quantizer.scale) > 0).all() else "its scale is not positive"


def _is_of(given: Any, own: Any, quantizer: Quantizer, *, is_named: bool) -> bool:
    """Whether FINN's thresholds are those of this quantizer: no rounding moves one by more than a step.

    Without a name that says so they must be the same, but for ties.
    """
    import numpy as np

    slack = 1.01 * np.max(quantizer.scale) if is_named else 1e-3 * np.min(quantizer.scale)
    return bool((np.abs(given - own) <= slack + np.abs(own) * 1e-6).all())


def _count_undecided(before: Any, quantizer: Quantizer, grid: Grid, axis: int) -> tuple[int, int]:
    """Count thresholds that lie within the rounding errors of a possible sum; return (these, all of them)."""
    import numpy as np

    tensor = quantizer.activation.input[0] if quantizer.activation is not None else quantizer.input
    found = _search(before, quantizer, tensor, axis)
    step, largest, error = (
        np.broadcast_to(item, len(found.thresholds))[:, None]
        if item.size in {1, len(found.thresholds)}
        else item.max()
        for item in grid
    )
    reachable = np.abs(found.thresholds) <= largest + error
    nearest = np.round(found.thresholds / np.where(step > 0, step, 1)) * step
    close = np.where(step > 0, np.abs(found.thresholds - nearest) <= error, True)
    return int((reachable & close).sum()), found.thresholds.size


def make_rounding_exact(model: Any, qonnx: Any) -> tuple[Any, RoundingReport]:
    """Replace the thresholds of a converted model by exact ones in float64; `qonnx` is the model before conversion.

    The affine nodes before a threshold node become part of it. float64 keeps the thresholds exact until streamlining
    has moved the remaining scales into them; `round_thresholds` then makes float32 of them.
    """
    from qonnx.transformation.extract_conv_bias import ExtractBiasFromConv
    from qonnx.transformation.general import SortGraph
    from qonnx.transformation.infer_shapes import InferShapes
    from qonnx.util.cleanup import cleanup_model

    # As FINN's conversion does, so that names agree.
    before = cleanup_model(qonnx).transform(ExtractBiasFromConv()).transform(InferShapes()).transform(SortGraph())
    sums = ExactSums(before)
    report = RoundingReport()
    model = model.transform(SortGraph())
    quantizers = list(filter(None, [read_quantizer(before, node) for node in before.graph.node]))
    for quantizer, node, is_named in pair_thresholds(before, model, quantizers):
        reason = _refuse(model, node, quantizer)
        if node is None or reason is not None:
            report.unmatched.append(f"{quantizer.name}: {reason}")
            continue
        axis = find_channel_axis(node, len(model.get_tensor_shape(node.input[0])))
        given = model.get_initializer(node.input[1])
        plain = _search(model, quantizer, node.input[0], axis, with_chain=False).thresholds
        if not _is_of(given, plain, quantizer, is_named=is_named):
            report.unmatched.append(f"{quantizer.name}: FINN's thresholds are not those of this quantizer")
            continue
        exact = _search(model, quantizer, node.input[0], axis)
        _absorb(model, node, exact)
        node.doc_string = quantizer.output  # lets verification pair threshold nodes with quantizers
        model.set_initializer(node.input[1], exact.thresholds)
        report.quantizers += 1
        report.thresholds += plain.size
        report.moved += int((round_up(plain) != given).sum())
        grid = sums.find(quantizer.source)
        if grid is not None and not grid.is_exact:
            undecided, count = _count_undecided(before, quantizer, grid, axis)
            report.inexact.append(quantizer.name)
            report.terms = max(report.terms, sums.count_terms(quantizer.source))
            report.undecided += undecided
            report.doubtful += count
    return model.transform(SortGraph()), report


def round_thresholds(model: Any) -> int:
    """Turn float64 thresholds into float32 numbers, or whole numbers, that decide the same; return how many nodes.

    On integers `x >= t` is `x >= ceil(t)`, on float32 numbers the next float32 at or above t decides the same.
    """
    import numpy as np

    changed = 0
    for node in model.graph.node:
        values = model.get_initializer(node.input[1]) if node.op_type == "MultiThreshold" else None
        if values is None or values.dtype != np.float64:
            continue
        kind = model.get_tensor_datatype(node.input[0])
        if kind.is_integer():
            values = np.clip(np.ceil(values), kind.min(), kind.max() + 1)
        model.set_initializer(node.input[1], round_up(values))
        changed += 1
    return changed
