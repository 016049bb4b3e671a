"""Solve a folding problem exactly, as integer programs, with HiGHS by way of SciPy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from bskernel_executors.folding.problem import (
    Folded,
    FoldingProblem,
    StreamLink,
    converts,
    measure,
    needs_converters,
)

Goal: TypeAlias = Literal["any", "area", "latency"]
_INFEASIBLE = 2
TIME_LIMIT_S = 60.0


class UndecidedError(Exception):
    """The solver has reached its time limit (`TIME_LIMIT_S`) without an answer."""


class _Program:
    """Rows and columns of an integer program, collected one after the other."""

    def __init__(self) -> None:
        self.cost: list[float] = []
        self.upper: list[float] = []
        self.is_integer: list[int] = []
        self.rows: list[tuple[int, int, float]] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def add_column(self, cost: float = 0.0, *, upper: float = 1.0, integer: bool = False) -> int:
        self.cost.append(cost)
        self.upper.append(upper)
        self.is_integer.append(int(integer))
        return len(self.cost) - 1

    def add_row(self, terms: Iterable[tuple[int, float]], low: float, high: float) -> None:
        at = len(self.low)
        self.rows += [(at, column, value) for column, value in terms]
        self.low.append(low)
        self.high.append(high)

    def solve(self) -> list[float] | None:
        """Return the columns' values; None if there is no solution. Raises UndecidedError."""
        rows, columns, values = zip(*self.rows, strict=True)
        matrix = csr_array((values, (rows, columns)), shape=(len(self.low), len(self.cost)))
        found = milp(
            np.array(self.cost),
            constraints=LinearConstraint(matrix, np.array(self.low), np.array(self.high)),
            bounds=Bounds(0, np.array(self.upper)),
            integrality=np.array(self.is_integer),
            options={"time_limit": TIME_LIMIT_S, "mip_rel_gap": 0.0},
        )
        if found.status == _INFEASIBLE:
            return None
        if found.status != 0:
            raise UndecidedError(found.message)
        return [float(value) for value in found.x]


def _add_streams(
    program: _Program, problem: FoldingProblem, link: StreamLink, picks: Sequence[dict[int, int]]
) -> dict[int, Mapping[str, float]]:
    """Give each stream the widths of the choices at its ends; return column -> what is in the stream."""
    ends: tuple[dict[int, list[int]], dict[int, list[int]]] = ({}, {})
    for at, column in picks[link.source].items():
        ends[0].setdefault(problem.units[link.source].choices[at].widths_out[link.output], []).append(column)
    for at, column in picks[link.target].items():
        ends[1].setdefault(problem.units[link.target].choices[at].widths_in[link.input], []).append(column)
    strict = needs_converters(problem, link)
    counts: dict[int, Mapping[str, float]] = {}
    pairs: dict[tuple[int, int], int] = {}
    for source in ends[0]:
        for target in ends[1]:
            if strict and not converts(source, target):
                continue
            pairs[source, target] = column = program.add_column()
            counts[column] = problem.stream(link, source, target)
    for side, end in enumerate(ends):
        for width, columns in end.items():
            here = [column for pair, column in pairs.items() if pair[side] == width]
            program.add_row([*((column, 1.0) for column in here), *((column, -1.0) for column in columns)], 0, 0)
    return counts


def find(problem: FoldingProblem, slowest: float, goal: Goal) -> Folded | None:
    """Find a folding in which no unit takes more than `slowest` cycles per frame, within the budget.

    goal: "any" is the first that is found, "area" the one with the smallest share of the device, "latency" the one
    with the shortest longest path. Return None if there is none. Raises UndecidedError.
    """
    program = _Program()
    picks: list[dict[int, int]] = []
    for unit in problem.units:
        fast = [at for at, choice in enumerate(unit.choices) if choice.cycles <= slowest]
        if not fast:
            return None
        picks.append({at: program.add_column(integer=True) for at in fast})
        program.add_row([(column, 1.0) for column in picks[-1].values()], 1, 1)
    streams: dict[int, Mapping[str, float]] = {}
    for link in problem.links:
        streams |= _add_streams(program, problem, link, picks)
    uses: dict[str, list[tuple[int, float]]] = {name: [] for name in problem.budget}
    for unit, columns in zip(problem.units, picks, strict=True):
        for at, column in columns.items():
            for name in uses:
                uses[name].append((column, unit.choices[at].cost.get(name, 0.0)))
    for column, counts in streams.items():
        for name, count in counts.items():
            if name in uses:
                uses[name].append((column, count))
    for name, terms in uses.items():
        program.add_row(terms, 0, problem.budget[name])
        if goal == "area" and problem.device[name]:
            for column, count in terms:
                program.cost[column] += count / problem.device[name]
    if goal == "latency":
        _add_latency(program, problem, picks)
    values = program.solve()
    if values is None:
        return None
    chosen = [max(columns, key=lambda at: values[columns[at]]) for columns in picks]
    return measure(problem, chosen)


def _add_latency(program: _Program, problem: FoldingProblem, picks: Sequence[dict[int, int]]) -> None:
    """Minimise the end of the last unit, where each begins when those before it have ended."""
    unit_cycles = [
        [(column, float(problem.units[at].choices[choice].cycles)) for choice, column in columns.items()]
        for at, columns in enumerate(picks)
    ]
    starts = [program.add_column(upper=np.inf) for _ in picks]
    end = program.add_column(1.0, upper=np.inf)
    for link in problem.links:
        before = [(column, -count) for column, count in unit_cycles[link.source]]
        program.add_row([(starts[link.target], 1.0), (starts[link.source], -1.0), *before], 0, np.inf)
    for start, cycles in zip(starts, unit_cycles, strict=True):
        program.add_row([(end, 1.0), (start, -1.0), *((column, -count) for column, count in cycles)], 0, np.inf)


def list_paces(problem: FoldingProblem) -> list[int]:
    """All numbers of cycles per frame that the slowest unit can take, the fastest first."""
    least = max(min(choice.cycles for choice in unit.choices) for unit in problem.units)
    return sorted({choice.cycles for unit in problem.units for choice in unit.choices if choice.cycles >= least})


def find_fastest(problem: FoldingProblem) -> Folded | None:
    """Find the folding with the fewest cycles per frame; of several, the one that takes the least of the device."""
    paces = list_paces(problem)
    low, high = 0, len(paces)
    best = None
    while low < high:
        middle = (low + high) // 2
        found = find(problem, paces[middle], "any")
        if found is None:
            low = middle + 1
        else:
            best, high = found, next(at for at, pace in enumerate(paces) if pace >= found.cycles)
    return find(problem, best.cycles, "area") if best is not None else None
