"""The types of an analysis: goals, objectives, Pareto set, recommendation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import msgspec

from bskernel.config import SweepSection
from bskernel.sweeps.analysis.metric import Metric
from bskernel.sweeps.analysis.table import Row, SweepTable

Sense: TypeAlias = Literal["maximize", "minimize"]


class Goals(msgspec.Struct, frozen=True, kw_only=True):
    """The goals, as given in [sweep] or on the command line."""

    maximize: tuple[str, ...] = ()
    minimize: tuple[str, ...] = ()
    require: tuple[str, ...] = ()

    @classmethod
    def of(cls, section: SweepSection) -> Goals:
        """The goals of a [sweep] table."""
        return cls(
            maximize=_texts(section.maximize), minimize=_texts(section.minimize), require=_texts(section.require)
        )

    def instead(
        self,
        maximize: str | Sequence[str] = (),
        minimize: str | Sequence[str] = (),
        require: str | Sequence[str] = (),
    ) -> Goals:
        """The goals with overrides: given objectives replace all objectives, given conditions all conditions."""
        goals = Goals(maximize=_texts(maximize), minimize=_texts(minimize), require=_texts(require))
        objectives = goals if goals.maximize or goals.minimize else self
        return Goals(
            maximize=objectives.maximize, minimize=objectives.minimize, require=goals.require or self.require
        )


def _texts(one_or_more: str | Sequence[str]) -> tuple[str, ...]:
    return (one_or_more,) if isinstance(one_or_more, str) else tuple(one_or_more)


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """A metric and its better direction."""

    metric: Metric
    sense: Sense

    def __str__(self) -> str:
        return f"{self.sense} {self.metric}"

    @property
    def best(self) -> str:
        """`highest` or `lowest`."""
        return "highest" if self.sense == "maximize" else "lowest"

    def cost(self, value: float) -> float:
        """The value as a cost: less is better."""
        return -value if self.sense == "maximize" else value


class Scored(msgspec.Struct, frozen=True, kw_only=True):
    """A point and its numbers, in the order of the objectives."""

    name: str
    values: tuple[float, ...]
    stand_in: tuple[str, ...] = ()  # objectives and conditions with numbers from a stand-in for a tool


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """A point left out of the comparison, and why."""

    name: str
    reason: str


class Best(msgspec.Struct, frozen=True, kw_only=True):
    """The best point of one objective among the `of` points that satisfy `keeping`.

    Of equally good ones it is the one that is best in the other objectives, in their order, and then the first.
    """

    objective: str
    keeping: tuple[str, ...]  # conditions; empty for all points
    point: str | None  # None if no point satisfies them
    value: float | None = None
    unit: str = ""
    of: int = 0
    change: float | None = None  # relative to the best without conditions, as a fraction: the price of the conditions
    stand_in: bool = False


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """The recommended point of the Pareto set, the method, and the reason in words."""

    point: str
    method: str
    reason: str
    same: tuple[str, ...] = ()  # points with equal numbers
    stand_in: bool = False  # its numbers are from a stand-in


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """The analysis. Without objectives only the conditions are judged."""

    objectives: tuple[Objective, ...]
    require: tuple[str, ...]
    points: tuple[Scored, ...]  # the compared points: successful, no number missing, all conditions satisfied
    pareto: tuple[Scored, ...] = ()
    best: tuple[Best, ...] = ()
    recommendation: Recommendation | None = None
    left_out: tuple[LeftOut, ...] = ()
    warnings: tuple[str, ...] = ()


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """A sweep's table with its goals and their analysis."""

    table: SweepTable
    goals: Goals
    outcome: Outcome

    @property
    def pareto(self) -> tuple[Row, ...]:
        """The rows of the Pareto set, in table order."""
        names = {point.name for point in self.outcome.pareto}
        return tuple(row for row in self.table.rows if row.name in names)

    @property
    def recommended(self) -> Row | None:
        """The recommended row; None without objectives, or without points to compare."""
        chosen = self.outcome.recommendation
        return next((row for row in self.table.rows if chosen is not None and row.name == chosen.point), None)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from bskernel.sweeps.analysis.sweep_html import results_html
        from bskernel.sweeps.analysis.table import counted

        return results_html(self, counted(len(self.table.rows)))
