"""Values of a point for an optimizer: its objectives, and how far it violates conditions. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bskernel.sweeps.analysis.analysis import objectives_of
from bskernel.sweeps.analysis.analysis_types import Goals, Objective
from bskernel.sweeps.analysis.constraints import Requirement, read_requirements
from bskernel.sweeps.analysis.metric import names_in
from bskernel.sweeps.analysis.table import Row
from bskernel.sweeps.search.violation import UNKNOWN, violation

STOPPED = "stopped"  # the extra constraint of stopped points


class ObjectiveValues:
    """Evaluates points by the goals, whose names can be resolved once a point has succeeded."""

    def __init__(self, goals: Goals) -> None:
        self._goals = goals
        self._number = len(goals.maximize) + len(goals.minimize)
        self._objectives: tuple[Objective, ...] = ()
        self._requirements: tuple[Requirement, ...] = ()
        self._worst: list[float] = []

    def learn(self, rows: Sequence[Row]) -> None:
        """Resolve the names of the goals, once, from the points so far. Raises ConfigError."""
        well = [row for row in rows if row.status == "ok" and row.quantities]
        if well and not self._objectives:
            self._objectives = objectives_of(self._goals, well)
            self._requirements = read_requirements(self._goals.require, names_in(rows), "require")

    def values(self, row: Row) -> list[float] | None:
        """The objectives of a point; None for a point without a result.

        Of one that was stopped before it had them, the worst so far: an optimizer ranks points that are not allowed
        by their violation alone, but wants numbers.
        """
        if row.status not in {"ok", "stopped"}:
            return None
        found = [objective.metric.of(row) for objective in self._objectives]
        values = [item.value for item in found if item is not None]
        if len(values) == self._number:
            if row.status == "ok":
                pairs = zip(self._worst or values, values, self._objectives, strict=True)
                self._worst = [max(before, now, key=objective.cost) for before, now, objective in pairs]
            return values
        if row.status == "stopped" and self._goals.require:
            return self._worst or [0.0] * self._number
        return None

    def violations(self, row: Row) -> dict[str, float]:
        """How far a point violates each condition: above 0 if it does. Empty without conditions."""
        if not self._goals.require:
            return {}
        found = {requirement.text: violation(requirement, row) for requirement in self._requirements}
        explained = row.status != "stopped" or any(value > 0 for value in found.values())
        return {**found, STOPPED: 0.0 if explained else UNKNOWN}
