"""Why a folding is the best one: what bounds it, which resource binds, what more would give, the trade-off."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from bskernel_executors.folding.problem import Folded, FoldingProblem, Unit
from bskernel_executors.folding.solver import UndecidedError, find, find_fastest, list_paces

_POINTS = 12
_NAMED = 3  # layers that a message names


class TradeOff(msgspec.Struct, frozen=True, kw_only=True):
    """A point of the trade-off: the smallest folding at a pace. `used`: resource -> count."""

    cycles: int
    used: Mapping[str, float]


class Certificate(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known of the pace that was found.

    `next_faster_cycles`: the next fewer cycles per frame, which were proved to be out of reach; absent where a unit
    cannot be faster with any budget (`fastest_units`). `binding`: resources of which any one, without a budget, would
    bring them into reach; empty where only several together would. `with_one_percent_more`: resource -> cycles per
    frame if its budget had one percent of the device more. `undecided`: the solver's time was up before any of this
    was known.
    """

    next_faster_cycles: int | None = None
    binding: tuple[str, ...] = ()
    with_one_percent_more: Mapping[str, int] = {}
    fastest_units: tuple[str, ...] = ()
    undecided: bool = False


def _with_budget(problem: FoldingProblem, changes: Mapping[str, float]) -> FoldingProblem:
    return msgspec.structs.replace(problem, budget={**problem.budget, **changes})


def certify(problem: FoldingProblem, found: Folded) -> Certificate:
    """Find what bounds the fastest folding, as far as the solver's time allows."""
    try:
        return _certify(problem, found)
    except UndecidedError:
        return Certificate(undecided=True)


def _certify(problem: FoldingProblem, found: Folded) -> Certificate:
    faster = [pace for pace in list_paces(problem) if pace < found.cycles]
    if not faster:
        limits = [unit.name for unit in problem.units if min(c.cycles for c in unit.choices) >= found.cycles]
        return Certificate(fastest_units=tuple(limits))
    without = {name: _with_budget(problem, {name: math.inf}) for name in problem.budget}
    binding = [name for name, eased in without.items() if find(eased, faster[-1], "any") is not None]
    more = {}
    for name in binding:
        eased = find_fastest(_with_budget(problem, {name: problem.budget[name] + problem.device[name] / 100}))
        if eased is not None and eased.cycles < found.cycles:
            more[name] = eased.cycles
    return Certificate(next_faster_cycles=faster[-1], binding=tuple(binding), with_one_percent_more=more)


def find_front(problem: FoldingProblem, found: Folded) -> tuple[TradeOff, ...]:
    """The smallest foldings from the pace of `found` on, each about half as fast as the last.

    It ends early where the solver's time is up.
    """
    points = [TradeOff(cycles=found.cycles, used=found.used)]
    for pace in list_paces(problem):
        if len(points) == _POINTS:
            break
        if pace >= 2 * points[-1].cycles:
            try:
                slower = find(problem, pace, "area")
            except UndecidedError:
                break
            if slower is not None and slower.cycles > points[-1].cycles:
                points.append(TradeOff(cycles=slower.cycles, used=slower.used))
    return tuple(points)


def _explain_alone(problem: FoldingProblem, unit: Unit, slowest: float) -> str | None:
    """Say what a unit needs that the budget has not even for it alone; None if one of its foldings fits."""
    fast = [choice for choice in unit.choices if choice.cycles <= slowest]
    over = [[name for name, budget in problem.budget.items() if choice.cost.get(name, 0) > budget] for choice in fast]
    if not all(over):
        return None
    always = [name for name in problem.budget if all(name in names for names in over)]
    if always:
        needs = [(name, min(choice.cost.get(name, 0) for choice in fast)) for name in always]
        texts = [f"{count:,.0f} {name}, and the budget is {problem.budget[name]:,.0f}" for name, count in needs]
        return f"{unit.name} alone needs {'; '.join(texts)}"
    # Some foldings take too much of one resource, the others of another.
    ways = []
    for group in dict.fromkeys(tuple(names) for names in over):
        among = [choice for choice, names in zip(fast, over, strict=True) if tuple(names) == group]
        least = min(
            among,
            key=lambda choice: sum(
                choice.cost[name] / problem.device[name] for name in group if problem.device[name]
            ),
        )
        ways.append(" and ".join(f"{least.cost[name]:,.0f} {name} of {problem.budget[name]:,.0f}" for name in group))
    return f"{unit.name} alone needs {', or '.join(ways)}"


def explain_misfit(problem: FoldingProblem, slowest: float = math.inf) -> str:
    """Say why nothing fits: units that are too large alone, else the resources of the smallest folding.

    `slowest`: the most cycles per frame that a unit may take.
    """
    for unit in problem.units:
        fast = [choice for choice in unit.choices if choice.cycles <= slowest]
        if not fast:
            least = min(choice.cycles for choice in unit.choices)
            return f"{unit.name} takes {least:,} cycles per frame at least, but {slowest:,.0f} are asked for"
    alone = [text for unit in problem.units if (text := _explain_alone(problem, unit, slowest))]
    if alone:
        more = f"; and {len(alone) - _NAMED} more layers" if len(alone) > _NAMED else ""
        return "; ".join(alone[:_NAMED]) + more
    smallest = find(_with_budget(problem, dict.fromkeys(problem.budget, math.inf)), slowest, "area")
    if smallest is None:
        return "no two neighbours have streams whose widths a converter takes"
    over = [
        f"{smallest.used[name]:,.0f} {name} of {budget:,.0f}"
        for name, budget in problem.budget.items()
        if smallest.used[name] > budget
    ]
    return f"the smallest folding needs {', '.join(over) or 'more than the budgets together'}"
