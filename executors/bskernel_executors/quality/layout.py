"""The layout of samples: frames are transposed where it is told or proven, and never reordered in silence."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

from bskernel_executors.sdk import StepFailure

Layout: TypeAlias = Literal["auto", "NCHW", "NHWC"]
_TO_FRONT, _TO_BACK = (-1, 0), (0, -1)  # where the axis of channels is, and where it goes


def arrange_frames(inputs: Any, frame: tuple[int, ...], layout: Layout, name: str) -> tuple[Any, str | None]:
    """Bring frames of shape (N, ...) into the shape that a model takes, and say in words what was transposed.

    Axes of size 1 come and go. Flat frames are the model's in C order, and a model with a flat input takes each frame
    in C order. Channels move to the other end if `layout` says where they are, or if the shapes prove it: no other
    axis has their size, and moving them gives the model's shape.
    Raises StepFailure (config) for frames that do not fit in any of these ways.
    """
    given, wanted = _squeeze(inputs.shape[1:]), _squeeze(frame)
    if math.prod(given) == math.prod(frame):
        if len(given) <= 1 or len(wanted) <= 1:
            return inputs.reshape(len(inputs), *frame), None
        cube = len(set(wanted)) == 1
        if given == wanted and not (cube and layout == "NHWC"):
            return inputs.reshape(len(inputs), *frame), None
        allowed = {"NHWC": (_TO_FRONT,), "NCHW": (_TO_BACK,), "auto": (_TO_FRONT, _TO_BACK)}[layout]
        ways = {
            _move(range(len(given)), order)
            for order in allowed
            if _move(given, order) == wanted and (layout != "auto" or given.count(given[order[0]]) == 1)
        }
        if len(ways) == 1:
            return _transpose(inputs, given, ways.pop(), frame)
    raise StepFailure(
        category="config",
        message=f"{name}: frames have the shape {list(inputs.shape[1:])}, the model takes {list(frame)}",
        hint="samples are not resized: give them in the shape that the network takes; if only their layout differs, "
        'say it with the parameter layout = "NHWC" or "NCHW" of the step samples',
    )


def _squeeze(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _move(axes: Any, order: tuple[int, int]) -> tuple[int, ...]:
    """The axes after one of them moved from order[0] to order[1]."""
    left = list(axes)
    moved = left.pop(order[0])
    return (moved, *left) if order[1] == 0 else (*left, moved)


def _transpose(inputs: Any, given: tuple[int, ...], axes: tuple[int, ...], frame: tuple[int, ...]) -> tuple[Any, str]:
    import numpy as np

    count = len(inputs)
    moved = inputs.reshape(count, *given).transpose(0, *(axis + 1 for axis in axes))
    said = f"frames of {list(inputs.shape[1:])} transposed to {list(frame)}"
    return np.ascontiguousarray(moved).reshape(count, *frame), said
