"""Resolves a quantity as people write it to its name in metrics.json."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from bskernel.expr.ast import Quantity
from bskernel.expr.parser import ExpressionError
from bskernel.result.quantities import STAGES, FoundQuantity


class QuantityNames:
    """The names and stages of all known numbers; `nobody` is the subject of the error for an unknown name."""

    def __init__(self, found: Iterable[FoundQuantity], nobody: str) -> None:
        known = {(item.name, item.stage) for item in found}
        self.names = tuple(sorted({name for name, _ in known}))
        self.stages = {stage for _, stage in known}
        self._nobody = nobody

    def full_name(self, quantity: Quantity) -> str:
        """The name in metrics.json; if several share the last part, the first one. Raises ExpressionError."""
        if quantity.stage and quantity.stage not in {*self.stages, *STAGES}:
            choices = ", ".join([*STAGES, *sorted(self.stages.difference(STAGES))])
            raise ExpressionError(f"unknown stage {quantity.stage!r}; stages: {choices}", quantity.column)
        if quantity.name in self.names:
            return quantity.name
        ends = [name for name in self.names if name.endswith(f".{quantity.name}")]
        if ends:
            return ends[0]
        near = difflib.get_close_matches(quantity.name, self.names, n=1)
        guess = f"; did you mean {near[0]!r}?" if near else ""
        raise ExpressionError(f"{self._nobody} has a quantity {quantity.name!r}{guess}", quantity.column)
