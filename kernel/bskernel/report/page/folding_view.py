"""folding_report.json: what an optimised folding takes, what bounds its pace, and what else is possible. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from bskernel.report.page.quality import read_view


class _BudgetUse(msgspec.Struct, frozen=True, kw_only=True):
    device: float
    budget: float
    used: float


class _Certificate(msgspec.Struct, frozen=True, kw_only=True):
    next_faster_cycles: int | None = None  # proved to be out of reach
    binding: tuple[str, ...] = ()  # resources of which any one would bring them into reach
    with_one_percent_more: dict[str, int] = {}  # resource -> cycles with one percent of the device more
    fastest_units: tuple[str, ...] = ()


class _TradeOff(msgspec.Struct, frozen=True, kw_only=True):
    cycles: int
    used: dict[str, float] = {}


class _Unit(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    cycles: int
    operator: str = ""
    share_of_slowest: float | None = None
    cost: dict[str, float] = {}
    choices: int | None = None
    folding: dict[str, dict[str, Any]] = {}  # layer -> its settings


class _CostFit(msgspec.Struct, frozen=True, kw_only=True):
    samples: int
    median_error: float


class FoldingView(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows of it."""

    objective: str
    cycles: int  # per frame, of the slowest unit
    inferences_per_s: float
    latency_cycles: int | None = None  # the sum along the longest path
    budgets: dict[str, _BudgetUse] = {}
    certificate: _Certificate = _Certificate()
    front: tuple[_TradeOff, ...] = ()
    layers: tuple[_Unit, ...] = ()
    cost_model: dict[str, _CostFit] = {}

    def rate(self, cycles: int) -> float | None:
        """Inferences per second of a folding whose slowest unit takes so many cycles, at the same clock."""
        return self.inferences_per_s * self.cycles / cycles if cycles > 0 else None

    @property
    def resources(self) -> tuple[str, ...]:
        """Those of which anything is used or allowed, in the order of the budgets."""
        return tuple(dict.fromkeys((*self.budgets, *(name for one in self.front for name in one.used))))


def find_folding(document: Any) -> FoldingView | None:
    """The report; None without one, and for one of another form."""
    return read_view(document, FoldingView) if document is not None else None
