"""Causes of a difference between two stages, each proven by executing a network without it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from bskernel_executors.quality.batched_node import Context, NodeProgram
from bskernel_executors.quality.network import Network
from bskernel_executors.quality.outputs import Outputs, compare_outputs

HALVES = "exact halves, which the network rounds to even and FINN's own thresholds round up"
SUMS = "rounding errors of float32 in the network's sums, next to where a quantizer changes its level"
NEAR_HALVES = "values that are exact halves but for rounding errors of float32: FINN's own thresholds round them up"
POLYNOMIALS = "piecewise polynomials in hardware, in place of {names}"
_EDGE = 2.0**-20  # of a tensor's largest value: 16 units in the last place of float32
_IMAGE = 4  # axes of a tensor of images, which FINN orders with channels last
_HALF_EVEN = frozenset({"HALF_EVEN", "ROUND"})
_PASSING = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze"})


class Stages(NamedTuple):
    """Two stages of a network, as they are compared, and what both computed for the frames that differ."""

    earlier: Network
    later: Network
    inputs: Any  # of the earlier network: frames first
    later_inputs: Any | None  # of the later network; None if the host computes a part
    before: Outputs
    now: Outputs


def find_causes(stages: Stages, rtol: float, atol: float) -> Iterator[tuple[str, Any]]:
    """Yield each cause with the frames, as booleans, that agree without it. A variant that fails proves nothing."""
    for cause, run, other in _variants(stages):
        try:
            found = run()
            differs = compare_outputs(found, other, rtol, atol).frames
        except Exception:  # noqa: BLE001, S112 - whatever the reason, this cause is not proven
            continue
        yield cause, ~differs


def _variants(stages: Stages) -> Iterator[tuple[str, Callable[[], Outputs], Outputs]]:
    """Yield causes, a program without each of them, and the outputs that it must agree with."""
    earlier, later = stages.earlier, stages.later
    if earlier.find_nodes("Quant"):
        yield HALVES, partial(earlier.run_variant, stages.inputs, partial(_quantize, up=True)), stages.now
        if stages.later_inputs is not None and later.find_nodes("MultiThreshold"):
            yield SUMS, partial(_run_beside, stages, stages.later_inputs), stages.now
        both = partial(earlier.run_variant, stages.inputs, partial(_quantize, up=True), double=True)
        yield NEAR_HALVES, both, stages.now
    polynomials = later.find_nodes("PWPolyF")
    if polynomials and stages.later_inputs is not None:
        names = ", ".join(sorted({f"{_function(node)} in {node.name}" for node in polynomials}))
        yield (
            POLYNOMIALS.format(names=names),
            partial(later.run_variant, stages.later_inputs, _evaluate),
            stages.before,
        )


def _quantize(node: Any, *, up: bool = False) -> NodeProgram | None:
    """Quantize in the precision of the values, which qonnx narrows to float32; with `up`, round halves up."""
    if node.op_type != "Quant":
        return None
    import numpy as np
    from qonnx.custom_op.general.quant import max_int, quant, resolve_rounding_mode
    from qonnx.custom_op.registry import getCustomOp

    attributes = getCustomOp(node)
    mode = attributes.get_nodeattr("rounding_mode").upper()
    signed, narrow = attributes.get_nodeattr("signed"), attributes.get_nodeattr("narrow")

    def run(context: Context) -> None:
        values, scale, zero, bits = (context[name] for name in node.input)
        found = quant(values, scale, zero, bits, signed, narrow, mode)
        if up and mode in _HALF_EVEN and bits > 1:
            steps = values / scale + zero
            # A value that is clipped by half a step is none to round.
            is_half = np.abs(steps - (found / scale + zero)) == 0.5
            is_half &= steps < max_int(signed, narrow, bits)
            found = np.where(is_half, (np.ceil(steps) - zero) * scale, found)
        context[node.output[0]] = found.astype(values.dtype)

    resolve_rounding_mode(mode)
    return run


def _run_beside(stages: Stages, later_inputs: Any) -> Outputs:
    """Execute the earlier network in float64, with the levels of the later one where its own values are on an edge.

    Outputs that agree prove that the networks differ nowhere else: float32 sums fell to the other side.
    """
    import numpy as np

    found = []
    for at in range(len(stages.inputs)):
        tensors = stages.later.run_all_tensors(later_inputs[at : at + 1])
        levels = dict(_read_levels(stages.later, tensors))
        replace = partial(_quantize_beside, levels=levels)
        found.append(stages.earlier.run_variant(stages.inputs[at : at + 1], replace, double=True))
    return found[0]._replace(values=np.concatenate([outputs.values for outputs in found]))


def _read_levels(later: Network, tensors: Context) -> Iterator[tuple[str, Any]]:
    """Yield the levels that threshold nodes gave, from 0, by the quantizer's output that exact_rounding noted."""
    from qonnx.custom_op.registry import getCustomOp

    for node in later.find_nodes("MultiThreshold"):
        if node.doc_string:
            attributes = getCustomOp(node)
            scale, bias = attributes.get_nodeattr("out_scale"), attributes.get_nodeattr("out_bias")
            yield node.doc_string, (tensors[node.output[0]].astype("float64") - bias) / scale


def _quantize_beside(node: Any, *, levels: Mapping[str, Any]) -> NodeProgram | None:
    if node.op_type != "Quant":
        return None
    import numpy as np
    from qonnx.custom_op.general.quant import min_int, quant
    from qonnx.custom_op.registry import getCustomOp

    attributes = getCustomOp(node)
    mode = attributes.get_nodeattr("rounding_mode")
    signed, narrow = attributes.get_nodeattr("signed"), attributes.get_nodeattr("narrow")

    def run(context: Context) -> None:
        values, scale, zero, bits = (context[name] for name in node.input)
        own, low, high = (
            quant(values + side * _EDGE * np.abs(values).max(), scale, zero, bits, signed, narrow, mode)
            for side in (0, -1, 1)
        )
        if (other := levels.get(node.output[0])) is not None:
            if other.shape != values.shape and other.ndim == _IMAGE:
                other = other.transpose(0, 3, 1, 2)
            given = (other + min_int(signed, narrow, bits) - zero) * scale
            half = np.abs(scale) / 2
            own = np.where((given > low - half) & (given < high + half), given, own)
        context[node.output[0]] = own.astype(values.dtype)

    return run


def _function(node: Any) -> str:
    from qonnx.custom_op.registry import getCustomOp

    return str(getCustomOp(node).get_nodeattr("func"))


def _evaluate(node: Any) -> NodeProgram | None:
    """Compute the function that a polynomial approximates."""
    if node.op_type != "PWPolyF":
        return None
    import math

    import numpy as np

    erf = np.vectorize(math.erf)
    functions: dict[str, Callable[[Any], Any]] = {
        "gelu": lambda x: 0.5 * x * (1 + erf(x / math.sqrt(2))),
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "silu": lambda x: x / (1 + np.exp(-x)),
        "tanh": np.tanh,
    }
    function = functions.get(_function(node))
    if function is None:
        return None

    def run(context: Context) -> None:
        values = context[node.input[0]]
        context[node.output[0]] = function(values.astype(np.float64)).astype(values.dtype)

    return run


def find_output_steps(network: Network) -> list[float | None]:
    """Return for each output the largest step of the quantizer that makes it; None if none does."""
    return [_find_step(network.model, name) for name in network.outputs]


def _find_step(model: Any, tensor: str) -> float | None:
    import numpy as np

    while (node := model.find_producer(tensor)) is not None and node.op_type in _PASSING:
        tensor = node.input[0]
    scale = model.get_initializer(node.input[1]) if node is not None and node.op_type == "Quant" else None
    return None if scale is None else float(np.abs(scale).max())


def find_first_difference(stages: Stages, frame: int, rtol: float) -> str | None:
    """Find the first tensor of both models, made by the same operator from equal inputs, that differs."""
    import numpy as np

    if stages.later_inputs is None:
        return None
    try:
        before = stages.earlier.run_all_tensors(stages.inputs[frame : frame + 1])
        now = stages.later.run_all_tensors(stages.later_inputs[frame : frame + 1])
    except Exception:  # noqa: BLE001 - the difference itself is reported anyway
        return None

    def is_same(name: str) -> bool:
        a, b = before[name], now[name]
        return a.shape == b.shape and np.allclose(a, b, rtol=rtol, atol=rtol * np.abs(a).max(initial=0))

    for node in stages.later.model.graph.node:
        other = stages.earlier.model.find_producer(node.output[0])
        if other is None or other.op_type != node.op_type or list(other.input) != list(node.input):
            continue
        taken = [name for name in node.input if name and stages.later.model.get_initializer(name) is None]
        if all(name in before and is_same(name) for name in taken) and not is_same(node.output[0]):
            return f"the first tensor that differs is {node.output[0]!r}, the output of {node.op_type} {node.name}"
    return None
