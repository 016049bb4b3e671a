"""The order of a frame's axes, and how FINN's Shuffle becomes a layer of the library."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from finn.custom_op.fpgadataflow.outer_shuffle import OuterShuffle
from qonnx.custom_op.registry import getCustomOp

from bskernel_executors.open_rtl.layer import OpenLayer, Resources
from bskernel_executors.open_rtl.resources import count_memory, count_shuffle
from bskernel_executors.open_rtl.streams import connect
from bskernel_executors.open_rtl.wrapper import Value, write_core

_SHUFFLES = frozenset({"Shuffle", "InnerShuffle", "OuterShuffle"})


def plan_loops(shape: Sequence[int], perm: Sequence[int]) -> tuple[tuple[int, int], ...]:
    """Plan the loops that read an array of `shape` in the order that `perm` transposes it to: the innermost first.

    Each has its size, and how far the address jumps when it goes on and those inside it begin again. Axes of size 1
    have no loop, but one loop there is.
    """
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    loops: list[tuple[int, int]] = []
    back = 0
    for axis in reversed(perm):
        if shape[axis] > 1:
            loops.append((shape[axis], strides[axis] - back))
            back += (shape[axis] - 1) * strides[axis]
    return tuple(loops) or ((1, 0),)


class ShuffleLayer(OpenLayer, OuterShuffle):  # type: ignore[misc]
    """The axes of a frame in another order; the innermost stays."""

    operator = "OuterShuffle"
    sources = ("bsk_register.sv", "bsk_shuffle.sv")

    @classmethod
    def find_refusal(cls, layer: Any) -> str | None:
        """Refuse an innermost axis that moves, or that SIMD does not divide."""
        shape, perm, simd = (layer.get_nodeattr(name) for name in ("transpose_in_shape", "perm", "SIMD"))
        if perm[-1] != len(perm) - 1:
            return f"it moves the innermost axis (perm = {list(perm)})"
        return f"SIMD = {simd} does not divide the innermost axis of {shape[-1]}" if shape[-1] % simd else None

    def _find_shape(self) -> list[int]:
        """Return the frame's shape in beats."""
        *outer, inner = self.get_nodeattr("transpose_in_shape")
        return [*outer, inner // self.get_nodeattr("SIMD")]

    def get_exp_cycles(self) -> int:
        """Return the cycles between two frames: FINN's operator counts those of its layer in HLS."""
        return math.prod(self._find_shape())

    def estimate(self) -> Resources:
        """Estimate a memory of two frames, and the loops."""
        shape, width = self._find_shape(), int(self.get_instream_width())
        beats = math.prod(shape)
        loops = len(plan_loops(shape, self.get_nodeattr("perm")))
        memory, bram = count_memory(width, 2 * beats)
        lut = count_shuffle(width, beats, loops) + memory
        return Resources(lut=lut, bram=bram, bits=2 * beats * width if bram else 0)

    def write_body(self, model: Any, folder: Path) -> str:  # noqa: ARG002
        """Return the instance of bsk_shuffle."""
        shape = self._find_shape()
        loops = plan_loops(shape, self.get_nodeattr("perm"))
        parameters: dict[str, Value] = {
            "WIDTH": int(self.get_instream_width()),
            "BEATS": math.prod(shape),
            "N": len(loops),
            "SIZES": tuple(size for size, _ in loops),
            "JUMPS": tuple(jump % 2**32 for _, jump in loops),
        }
        return write_core("bsk_shuffle", parameters, connect("in0") | connect("out0"))


def _find_origin(node: Any) -> str:
    """Find the name of the Shuffle that a node is, or is part of."""
    return str(getCustomOp(node).get_nodeattr("original_node_name") or node.name)


def _take_whole(node: Any) -> bool:
    """Make one OuterShuffle of a Shuffle, if the library can: values one by one move along any axis."""
    layer = getCustomOp(node)
    shape, perm = layer.get_nodeattr("transpose_in_shape"), list(layer.get_nodeattr("perm"))
    if layer.get_nodeattr("preferred_impl_style") != "rtl":
        return False
    if perm[-1] != len(perm) - 1:
        if layer.get_nodeattr("SIMD") > 1:
            return False
        shape, perm = [*shape, 1], [*perm, len(perm)]
    values = {"transpose_in_shape": shape, "perm": perm, "transpose_out_shape": [shape[axis] for axis in perm]}
    values |= {"original_node_name": _find_origin(node), "NumChannels": shape[-1], "loop_coeffs": [1] * len(perm)}
    node.op_type = "OuterShuffle"
    made = getCustomOp(node)
    for name, value in values.items():
        made.set_nodeattr(name, value)
    return True


def take_shuffles(apply: Callable[..., Any]) -> Callable[..., Any]:
    """Take the Shuffles that the library can, and let the parts of others prefer what they do, which FINN forgets."""

    def take_apart(self: Any, model: Any) -> Any:
        rest = [node for node in model.get_nodes_by_op_type("Shuffle") if not _take_whole(node)]
        styles = {_find_origin(node): getCustomOp(node).get_nodeattr("preferred_impl_style") for node in rest}
        made, again = apply(self, model)
        for node in made.graph.node:
            if node.op_type in _SHUFFLES and (style := styles.get(_find_origin(node))) is not None:
                getCustomOp(node).set_nodeattr("preferred_impl_style", style)
        return made, again

    return take_apart
