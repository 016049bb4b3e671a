"""Which sums of a QONNX model are exact in float32, and how far the others may be off.

In exact arithmetic every tensor of a quantized network is a grid: whole numbers times a step. Where that step has few
significant bits (a power of two has one), float32 holds each value and each sum exactly, in any order of summation.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

_BITS = 24  # of a float32's mantissa
_PASSING = frozenset(
    {
        "Concat",
        "Flatten",
        "Identity",
        "MaxPool",
        "Pad",
        "Relu",
        "Reshape",
        "Resize",
        "Squeeze",
        "Transpose",
        "Unsqueeze",
    }
)
_UNIT = 2.0**-_BITS  # relative error of one rounding


class Grid(NamedTuple):
    """What is known of a tensor's values. Arrays have one item, or one for each channel."""

    step: Any  # float64: values are multiples of it, but for rounding errors
    largest: Any  # float64: bound of the absolute values
    error: Any  # float64: bound of the absolute rounding error; 0 if every value is exact

    @property
    def is_exact(self) -> bool:
        """Whether float32 holds every value exactly."""
        return not self.error.any()


def _single(grid: Grid) -> Grid:
    """Join channels to one grid, if their steps are powers of two apart."""
    import numpy as np

    step = grid.step.min()
    ratios = np.log2(grid.step / step) if step > 0 else np.full(1, 0.5)
    joined = step if (ratios == np.round(ratios)).all() else np.float64(0)
    return Grid(*(np.atleast_1d(value) for value in (joined, grid.largest.max(), grid.error.max())))


def _round(step: Any, largest: Any, error: Any) -> Grid:
    """Add the error of rounding multiples of `step` up to `largest` to float32."""
    import numpy as np

    step, largest, error = np.broadcast_arrays(*(np.atleast_1d(np.float64(item)) for item in (step, largest, error)))
    mantissa, _ = np.frexp(step)
    numerator = mantissa * 2.0**53
    trailing = np.where(numerator == 0, 1, numerator.astype(np.int64) & -numerator.astype(np.int64))
    odd = np.where(numerator == 0, np.inf, numerator / trailing)
    with np.errstate(divide="ignore", invalid="ignore"):
        fits = (error == 0) & (step > 0) & (largest / step * odd <= 2.0**_BITS)
    return Grid(step, largest, np.where(fits, 0.0, error + largest * _UNIT))


def _constant(values: Any) -> Grid:
    """Return the grid of constant values: the largest power of two that divides all of them."""
    import numpy as np

    flat = values.astype(np.float64).ravel()
    flat = flat[flat != 0]
    if not flat.size or not np.isfinite(flat).all():
        return Grid(np.ones(1), np.zeros(1), np.zeros(1))
    mantissa, exponent = np.frexp(np.abs(flat))
    numerator = (mantissa * 2.0**53).astype(np.int64)
    lowest = (numerator & -numerator).astype(np.float64) * 2.0 ** (exponent - 53.0)
    return Grid(np.atleast_1d(lowest.min()), np.atleast_1d(np.abs(flat).max()), np.zeros(1))


class ExactSums:
    """Follows grids through a model. Nodes must be sorted; tensors that it cannot follow have none."""

    def __init__(self, model: Any) -> None:
        """Follow the model from its input to its end."""
        from qonnx.core.datatype import DataType

        self._model = model
        self._grids: dict[str, Grid] = {}
        for item in model.graph.input:
            kind = model.get_tensor_datatype(item.name)
            if kind != DataType["FLOAT32"] and (kind.is_integer() or kind.is_fixed_point()):
                step = kind.scale_factor() if kind.is_fixed_point() else 1.0
                self._grids[item.name] = _round(step, max(abs(kind.min()), abs(kind.max())), 0.0)
        for node in model.graph.node:
            found = self._follow(node)
            if found is not None:
                self._grids[node.output[0]] = found

    def find(self, tensor: str) -> Grid | None:
        """Return what is known of a tensor."""
        if (grid := self._grids.get(tensor)) is None and (values := self._model.get_initializer(tensor)) is not None:
            return _constant(values) if values.dtype.kind == "f" else None
        return grid

    def count_terms(self, tensor: str) -> int:
        """Return the number of products in each sum of the tensor's node; 1 if it is not one of sums."""
        node = self._model.find_producer(tensor)
        if node is None or node.op_type not in {"Conv", "Gemm", "MatMul"}:
            return 1
        shape = self._model.get_tensor_shape(node.input[1])
        if node.op_type == "Conv":
            return int(shape[1] * shape[2] * shape[3]) if len(shape) == 4 else 1
        return int(shape[-2])

    def _follow(self, node: Any) -> Grid | None:
        if node.op_type in {"Quant", "BipolarQuant"}:
            return self._follow_quantizer(node)
        inputs = [self.find(name) for name in node.input]
        first = inputs[0] if inputs else None
        if first is None:
            return None
        if node.op_type in _PASSING:
            own = inputs if node.op_type == "Concat" else inputs[:1]
            grids = [_single(grid) for grid in own if grid is not None]
            if len(grids) < len(own):
                return None
            return self._add(grids, exact=True)
        if node.op_type in {"AveragePool", "GlobalAveragePool"}:
            return self._follow_mean(node, _single(first))
        if node.op_type in {"Conv", "MatMul"} and len(inputs) == 2 and inputs[1] is not None:
            return self._follow_sum(node, _single(first), inputs[1])
        if node.op_type in {"Add", "Sub"} and inputs[1] is not None:
            return self._add([_single(first), _single(inputs[1])], exact=False)
        if node.op_type == "Mul" and inputs[1] is not None:
            one, two = _single(first), _single(inputs[1])
            error = one.error * two.largest + two.error * one.largest
            return _round(one.step * two.step, one.largest * two.largest, error)
        return None

    @staticmethod
    def _add(grids: list[Grid], *, exact: bool) -> Grid:
        import numpy as np

        steps = np.array([grid.step[0] for grid in grids])
        step = steps.min()
        ratios = np.log2(steps / step) if step > 0 else np.full(1, 0.5)
        step = step if (ratios == np.round(ratios)).all() else np.float64(0)
        error = np.array([grid.error[0] for grid in grids])
        largest = np.array([grid.largest[0] for grid in grids])
        if exact:  # values are passed on, not added
            return Grid(*(np.atleast_1d(item) for item in (step, largest.max(), error.max())))
        return _round(step, largest.sum(), error.sum())

    def _follow_mean(self, node: Any, first: Grid) -> Grid:
        shape = self._model.get_tensor_shape(node.input[0])
        kernel = next((list(item.ints) for item in node.attribute if item.name == "kernel_shape"), shape[2:])
        count = math.prod(kernel)
        total = _round(first.step, first.largest * count, first.error * count)
        error = 0.0 if total.is_exact else first.error + first.largest * count * _UNIT
        return _round(first.step / count, first.largest, error)

    def _follow_quantizer(self, node: Any) -> Grid | None:
        import numpy as np
        from qonnx.custom_op.general.quant import max_int, min_int
        from qonnx.custom_op.registry import getCustomOp

        values = [self._model.get_initializer(name) for name in node.input[1:]]
        if any(value is None for value in values):
            return None
        scale = np.abs(values[0].astype(np.float64)).ravel()
        if node.op_type == "BipolarQuant":
            return _round(scale, scale, 0.0)
        attributes = getCustomOp(node)
        signed, narrow = bool(attributes.get_nodeattr("signed")), bool(attributes.get_nodeattr("narrow"))
        bits = float(values[2].reshape(-1)[0])
        largest = max(abs(min_int(signed, narrow, bits)), abs(max_int(signed, narrow, bits)))
        return _round(scale, scale * (largest + np.abs(values[1]).max()), 0.0)

    def _follow_sum(self, node: Any, first: Grid, weights: Grid) -> Grid | None:
        """Follow sums of products with constant weights: each output channel has its own."""
        import numpy as np

        values = self._weights(node.input[1])
        if values is None or values.ndim < 2:
            return None
        magnitudes = np.abs(values.astype(np.float64))
        total = (
            magnitudes.sum(axis=tuple(range(1, values.ndim))) if node.op_type == "Conv" else magnitudes.sum(axis=-2)
        )
        total = total.reshape(-1) if node.op_type == "Conv" or total.ndim == 1 else total.max(axis=0)
        step = (
            np.broadcast_to(weights.step, total.shape) if weights.step.size in {1, total.size} else weights.step.min()
        )
        exact = _round(first.step * step, first.largest * total, 0.0 if first.is_exact and weights.is_exact else 1.0)
        if exact.is_exact:
            return exact
        # n products and n - 1 additions, each rounded: n units of the sum of magnitudes (Higham, 2002, section 3.1).
        roundings = self.count_terms(node.output[0])
        error = total * (first.error + first.largest * _UNIT * (roundings + 1))
        return Grid(np.broadcast_to(first.step * step, total.shape), first.largest * total, error)

    def _weights(self, tensor: str) -> Any | None:
        """Return the values of weights, quantized as qonnx does."""
        from qonnx.custom_op.registry import getCustomOp

        values = self._model.get_initializer(tensor)
        if values is not None:
            return values
        node = self._model.find_producer(tensor)
        if node is None:
            return None
        if node.op_type == "Transpose":
            inner = self._weights(node.input[0])
            permutation = next((tuple(item.ints) for item in node.attribute if item.name == "perm"), None)
            return None if inner is None else inner.transpose(permutation)
        context = {name: self._model.get_initializer(name) for name in node.input}
        if node.op_type not in {"Quant", "BipolarQuant"} or any(value is None for value in context.values()):
            return None
        getCustomOp(node).execute_node(context, None)
        return context[node.output[0]]
