"""Whether hardware can compute a transposed convolution: as pixels with zeros between them, and a convolution."""

from __future__ import annotations

from typing import Any

_SIDES = 4


def _attribute(node: Any, name: str) -> Any:
    return next((attribute for attribute in node.attribute if attribute.name == name), None)


def _ints(node: Any, name: str, default: list[int]) -> list[int]:
    attribute = _attribute(node, name)
    return list(attribute.ints) if attribute is not None else default


def find_deconvolution_padding(node: Any) -> list[int] | None:
    """Find the padding (top, left, bottom, right) of the convolution that computes a ConvTranspose.

    Returns None if there is none: groups, more padding than the window has, or sizes that are given in another way.
    """
    kernel, pads = _ints(node, "kernel_shape", []), _ints(node, "pads", [])
    group, automatic = _attribute(node, "group"), _attribute(node, "auto_pad")
    if len(pads) != _SIDES or len(kernel) != _SIDES // 2 or (group is not None and group.i != 1):
        return None
    if _attribute(node, "output_shape") is not None or (automatic is not None and automatic.s != b"NOTSET"):
        return None
    reach = [step * (size - 1) for step, size in zip(_ints(node, "dilations", [1, 1]), kernel, strict=True)]
    extra = [0, 0, *_ints(node, "output_padding", [0, 0])]
    sides = [size - pad + more for size, pad, more in zip([*reach, *reach], pads, extra, strict=True)]
    return None if min(sides) < 0 else sides
