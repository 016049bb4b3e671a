"""Two builds and their differences."""

from __future__ import annotations

from typing import Any

import msgspec

from bskernel.result.comparison.gates import Verdict
from bskernel.result.comparison.keys import KeyChange, compare_keys, facts_of
from bskernel.result.comparison.steps import FinishedStep, StepComparison, compare_steps
from bskernel.result.quantities import FoundQuantity, QuantityComparison, compare_quantities, quantities_of


class FinishedBuild(msgspec.Struct, frozen=True, kw_only=True):
    """A finished build, as recorded in its directory."""

    label: str  # as the user named it
    name: str
    status: str
    steps: tuple[FinishedStep, ...]
    metrics: dict[str, Any] | None = None
    config: dict[str, Any] | None = None  # None when the directory has no config.json
    altered: tuple[str, ...] = ()  # what in the directory changed since the build

    @property
    def quantities(self) -> tuple[FoundQuantity, ...]:
        """All numbers in its metrics."""
        return quantities_of(self.metrics)


class ComparedBuild(msgspec.Struct, frozen=True, kw_only=True):
    """The build on one side."""

    label: str
    name: str
    status: str
    altered: tuple[str, ...] = ()  # what in its directory changed since the build


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The base build (A) and the new build (B) compared, with the verdicts of gates."""

    base: ComparedBuild
    new: ComparedBuild
    config: tuple[KeyChange, ...] | None  # None when one side has no config.json: see `config_missing`
    config_missing: tuple[str, ...]  # "A", "B"
    steps: tuple[StepComparison, ...]
    facts: tuple[KeyChange, ...]  # plain values of metrics.json that differ
    metrics: tuple[QuantityComparison, ...]
    gates: tuple[Verdict, ...] = ()

    @property
    def same(self) -> bool:
        """True without a known difference, gates aside."""
        return (
            self.base.status == self.new.status
            and not self.config
            and not self.facts
            and all(step.same for step in self.steps)
            and all(quantity.same for quantity in self.metrics)
        )

    @property
    def failed(self) -> bool:
        """True when a gate failed, or a number it needs is missing."""
        return any(verdict.fails for verdict in self.gates)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from bskernel.result.comparison.comparison_html import comparison_html

        return comparison_html(self)


def compare(base: FinishedBuild, new: FinishedBuild, gates: tuple[Verdict, ...] = ()) -> Comparison:
    """All differences between a base and a new build."""
    missing = tuple(side for side, build in (("A", base), ("B", new)) if build.config is None)
    return Comparison(
        base=ComparedBuild(label=base.label, name=base.name, status=base.status, altered=base.altered),
        new=ComparedBuild(label=new.label, name=new.name, status=new.status, altered=new.altered),
        config=None if missing else compare_keys(base.config or {}, new.config or {}),
        config_missing=missing,
        steps=compare_steps(base.steps, new.steps),
        facts=compare_keys(facts_of(base.metrics), facts_of(new.metrics)),
        metrics=compare_quantities(base.quantities, new.quantities),
        gates=gates,
    )
