"""budget_check.json: a synthesised design beside the budget that its folding was found for."""

from __future__ import annotations

from pathlib import Path

import msgspec
from bskernel_protocol import FailureCategory

from bskernel_executors.exchange.artifact_file import read_artifact


class BudgetedResource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Counts of one resource: what the device has, what may be used, what was predicted, what was counted."""

    device: float
    budget: float
    predicted: float
    counted: float

    @property
    def used(self) -> float:
        """The share of the budget that was counted: above 1 it does not fit."""
        return _share(self.counted, self.budget)

    @property
    def expected(self) -> float:
        """The share of the budget that was predicted."""
        return _share(self.predicted, self.budget)


class BudgetCheck(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """budget_check.json. `tool`: what counted."""

    tool: str
    resources: dict[str, BudgetedResource]


def _share(count: float, budget: float) -> float:
    # Of a budget of 0 every single one is a whole budget too much.
    return count / budget if budget else 1 + count if count else 0.0


_DECODER = msgspec.json.Decoder(BudgetCheck)


def read_budget_check(path: Path, *, category: FailureCategory = "config") -> BudgetCheck:
    """Read a budget check. Raises StepFailure (`category`)."""
    return read_artifact(path, _DECODER, "budget_check.json", writer="finn-step:measure_costs", category=category)
