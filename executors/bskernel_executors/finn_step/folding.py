"""Is a model's folding one that hardware can have? FINN takes any numbers, and its estimates then describe nothing.

A layer's PE and SIMD say how many rows and columns are computed at once: each must divide what it folds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from bskernel_executors.dataflow.folding import DIVIDES, operator_of

_COMPUTES = ("MVAU", "VVAU")


class FoldedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer's name, operator and integer attributes."""

    name: str
    operator: str
    attributes: Mapping[str, int]


def layers_of(model: Any) -> tuple[FoldedLayer, ...]:
    """The layers of a model, with what folds them."""
    return tuple(
        FoldedLayer(
            name=node.name,
            operator=operator_of(node.op_type),
            attributes={attribute.name: attribute.i for attribute in node.attribute if attribute.type == 2},
        )
        for node in model.graph.node
    )


def violations(layers: Iterable[FoldedLayer]) -> tuple[str, ...]:
    """What is wrong, one sentence for each factor that does not divide its size."""
    found = []
    for layer in layers:
        for factor, size in DIVIDES.get(layer.operator, ()):
            have, of = layer.attributes.get(factor), layer.attributes.get(size)
            if have is None or not of:
                continue
            if have < 1 or of % have:
                divisors = ", ".join(str(value) for value in range(1, of + 1) if of % value == 0)
                found.append(f"{layer.name}: {factor} = {have} does not divide {size} = {of}; divisors: {divisors}")
    return tuple(found)


def is_unfolded(layers: Iterable[FoldedLayer]) -> bool:
    """Does every layer that multiplies do one multiplication at a time, as when no folding was asked for?"""
    computing = [layer for layer in layers if layer.operator in _COMPUTES]
    ones = [layer.attributes.get("PE", 1) == layer.attributes.get("SIMD", 1) == 1 for layer in computing]
    # One with a single weight is folded as far as it can be.
    larger = [layer for layer in computing if layer.attributes.get("MW", 2) * layer.attributes.get("MH", 2) > 1]
    return bool(larger) and all(ones)
