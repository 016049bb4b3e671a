"""A folding that was found, as JSON and as rows for people. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from bskernel_executors.folding.certificate import Certificate, TradeOff
from bskernel_executors.folding.costs import Costs
from bskernel_executors.folding.problem import Folded, FoldingProblem


class BudgetUse(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one resource: what the device has, what may be used, what the folding uses."""

    device: float
    budget: float
    used: float


class FoldedUnit(msgspec.Struct, frozen=True, kw_only=True):
    """What was chosen for a unit: attributes of its layers, cycles per frame, share of the slowest, resources."""

    name: str
    operator: str
    folding: Mapping[str, Mapping[str, int | str]]
    cycles: int
    share_of_slowest: float
    cost: Mapping[str, float]
    choices: int


class CostModel(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where LUTs of an operator come from.

    `samples`: their number, and how many of them the build gave (`own`). `median_error`: the relative error of a
    sample that was left out.
    """

    samples: int
    median_error: float
    own: int = 0


class FoldingReport(msgspec.Struct, frozen=True, kw_only=True):
    """folding_report.json. `latency_cycles` is the sum of cycles along the longest path."""

    objective: str
    cycles: int
    latency_cycles: int
    inferences_per_s: float
    budgets: Mapping[str, BudgetUse]
    certificate: Certificate
    front: tuple[TradeOff, ...]
    layers: tuple[FoldedUnit, ...]
    cost_model: Mapping[str, CostModel]
    synthesised_before: int  # layers and streams of this network that samples correct


def _round(counts: Mapping[str, float]) -> dict[str, float]:
    return {name: round(count, 1) for name, count in counts.items()}


def make_report(
    problem: FoldingProblem,
    found: Folded,
    *,
    objective: str,
    clock_ns: float,
    certificate: Certificate,
    front: tuple[TradeOff, ...],
    costs: Costs,
) -> FoldingReport:
    """Make the report."""
    chosen = [unit.choices[at] for unit, at in zip(problem.units, found.chosen, strict=True)]
    used = _round(found.used)
    return FoldingReport(
        objective=objective,
        cycles=found.cycles,
        latency_cycles=found.latency,
        inferences_per_s=round(1e9 / clock_ns / found.cycles, 2),
        budgets={
            name: BudgetUse(device=problem.device[name], budget=round(budget, 1), used=used[name])
            for name, budget in problem.budget.items()
        },
        certificate=certificate,
        front=tuple(TradeOff(cycles=point.cycles, used=_round(point.used)) for point in front),
        layers=tuple(
            FoldedUnit(
                name=unit.name,
                operator=unit.operator,
                folding=choice.attributes,
                cycles=choice.cycles,
                share_of_slowest=round(choice.cycles / found.cycles, 4),
                cost=_round(choice.cost),
                choices=len(unit.choices),
            )
            for unit, choice in zip(problem.units, chosen, strict=True)
        ),
        cost_model={
            name: CostModel(
                samples=fit.samples,
                median_error=round(fit.error, 3),
                own=sum(sample.operator == name for sample in costs.given),
            )
            for name, fit in costs.fits["LUT"].items()
            if name in {unit.operator for unit in problem.units}
        },
        synthesised_before=costs.recalled,
    )


def _bound(report: FoldingReport, clock_ns: float) -> tuple[str, str]:
    """What bounds the pace, and what would change it."""
    certificate = report.certificate
    if certificate.undecided:
        return "not found out", "the solver's time was up"
    if certificate.fastest_units:
        return f"{', '.join(certificate.fastest_units[:2])} cannot be faster", "whatever the budget"
    if certificate.next_faster_cycles is None:
        return "nothing slower was asked for", ""
    faster = f"the next faster folding takes {certificate.next_faster_cycles:,} cycles per frame"
    if not certificate.binding:
        return "several resources together", f"{faster}: proved not to fit"
    more = [
        f"1% more {name}: {1e9 / clock_ns / cycles:,.0f} inferences/s"
        for name, cycles in certificate.with_one_percent_more.items()
    ]
    return f"{', '.join(certificate.binding)}", "; ".join(more) or f"{faster}; 1% more does not reach it"


def make_rows(report: FoldingReport, clock_ns: float) -> list[dict[str, str]]:
    """Make rows for the summary: the pace, what bounds it, and the budgets that are used."""
    pace = f"{report.inferences_per_s:,.0f} inferences/s, {report.cycles:,} cycles per frame"
    bound, change = _bound(report, clock_ns)
    budgets = ", ".join(
        f"{name} {budget.used:,.0f} of {budget.budget:,.0f}"
        for name, budget in report.budgets.items()
        if budget.budget
    )
    errors = [model.median_error for model in report.cost_model.values()]
    note = f"LUTs by fits, median error {max(errors):.0%} at most" if errors else "FINN's estimates"
    if report.synthesised_before:
        note += f"; {report.synthesised_before} layers and streams corrected by what was synthesised before"
    rows = [
        {
            "label": "folding",
            "value": f"{report.objective.replace('_', ' ')}: {pace}",
            "note": "proved best by these costs",
        },
        {"label": "folding uses", "value": budgets, "note": note},
    ]
    if report.objective == "fastest":
        rows.insert(1, {"label": "pace bound by", "value": bound, "note": change})
    return rows
