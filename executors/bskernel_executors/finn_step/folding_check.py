"""Check that hardware can have a model's folding. FINN accepts any numbers, but estimates from them are meaningless.

A layer's PE and SIMD are the rows and columns that it computes at once. Each must divide the size that it folds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from bskernel_executors.dataflow.operators import DIVIDES, operator_of

_COMPUTES = ("MVAU", "VVAU")


class FoldedLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer's name, operator and integer attributes."""

    name: str
    operator: str
    attributes: Mapping[str, int]


def read_layers(model: Any) -> tuple[FoldedLayer, ...]:
    """Read the layers of a model with their folding."""
    return tuple(
        FoldedLayer(
            name=node.name,
            operator=operator_of(node.op_type),
            attributes={attribute.name: attribute.i for attribute in node.attribute if attribute.type == 2},
        )
        for node in model.graph.node
    )


def find_violations(layers: Iterable[FoldedLayer]) -> tuple[str, ...]:
    """Find the factors that do not divide their size, one sentence each."""
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
    """Return whether every layer does one multiplication at a time, as without any folding."""
    computing = [layer for layer in layers if layer.operator in _COMPUTES]
    ones = [layer.attributes.get("PE", 1) == layer.attributes.get("SIMD", 1) == 1 for layer in computing]
    # A layer with a single weight cannot be unfolded any further.
    larger = [layer for layer in computing if layer.attributes.get("MW", 2) * layer.attributes.get("MH", 2) > 1]
    return bool(larger) and all(ones)
