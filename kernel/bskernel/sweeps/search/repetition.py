"""Builds that are repeated until a condition holds: a result of each round is an input of the next. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec

from bskernel.config.schema import Loop
from bskernel.core.errors import ConfigError
from bskernel.core.hints import choices
from bskernel.sweeps.analysis.constraints import check_conditions, judged
from bskernel.sweeps.analysis.repetitions import Repetition, RepetitionEnd
from bskernel.sweeps.analysis.table import Row

Settings: TypeAlias = dict[str, Any]


class RoundResult(msgspec.Struct, frozen=True, kw_only=True):
    """What a round has made: the path by which the next round's configuration names it, and its content's digest."""

    path: str
    digest: str


class _UnderWay(msgspec.Struct):
    """A point whose rounds go on."""

    settings: Settings
    rows: list[Row]
    results: list[str]  # digests
    ended: RepetitionEnd | None = None
    reason: str = ""


def find_loop(
    loops: Mapping[str, Loop], name: str, where: str, flow: str, *, others: Mapping[str, Collection[str]]
) -> Loop:
    """Return the flow's loop. `others`: flow -> loops, of shipped flows. Raises ConfigError, which `where` begins."""
    if name not in loops:
        flows = [other for other, has in others.items() if name in has]
        have = choices(name, list(loops), "loops") if loops or not flows else f"flows with it: {', '.join(flows)}"
        raise ConfigError(f"{where}.repeat: flow {flow!r} has no loop {name!r}", hint=have)
    check_conditions((loops[name].until,), f"{where}.repeat: loop {name}: until")
    return loops[name]


def repeat(
    name: str,
    loop: Loop,
    rows: Sequence[Row],
    *,
    rounds: int,
    run_points: Callable[[Sequence[Settings]], Sequence[Row]],
    result_of: Callable[[Row], RoundResult | None],
) -> tuple[Repetition, ...]:
    """Repeat the points of `rows`, their first round, until each keeps the condition.

    `run_points` builds points and returns their rows in the same order; after an interrupt, rows that say so, or
    fewer. `result_of` finds what a round has made.
    """
    key = "step.{}.inputs.{}".format(*loop.into.split("."))
    points = [_UnderWay(settings=row.settings, rows=[row], results=[]) for row in rows]
    while going := [point for point in points if point.ended is None]:
        batch = [(point, after) for point in going if (after := _judge(point, loop, rounds, result_of)) is not None]
        if not batch:
            continue
        made = run_points([{**point.settings, key: after.path} for point, after in batch])
        for at, (point, _) in enumerate(batch):
            if at < len(made):
                point.rows.append(made[at])
            else:
                point.ended, point.reason = "interrupted", "by the user"
    return tuple(
        Repetition(
            loop=name,
            until=loop.until,
            settings=point.settings,
            points=tuple(row.name for row in point.rows),
            ended=point.ended or "interrupted",
            reason=point.reason,
        )
        for point in points
    )


def _judge(
    point: _UnderWay, loop: Loop, rounds: int, result_of: Callable[[Row], RoundResult | None]
) -> RoundResult | None:
    """Judge a point's last round; return what the next one begins with, or None if there is none."""
    last = point.rows[-1]
    found: RoundResult | None = None
    if last.status == "interrupted":
        point.ended, point.reason = "interrupted", "by the user"
    elif last.status != "ok":
        point.ended, point.reason = "failed", last.reason or last.status
    else:
        verdict = judged((loop.until,), last.quantities)
        point.reason = verdict.reason or loop.until
        if verdict.status == "missing":
            point.ended = "unjudged"
        elif verdict.status == "kept":
            point.ended = "met"
        elif (found := result_of(last)) is None:
            point.ended, point.reason = "failed", f"it has no {loop.result}, with which another round would begin"
        elif found.digest in point.results:
            point.ended = "unchanged"
        elif len(point.rows) >= rounds:
            point.ended = "rounds"
        else:
            point.results.append(found.digest)
    return found if point.ended is None else None
