"""A build's timeline in the Trace Event Format, which Perfetto and chrome://tracing show. Pure.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU: complete events have a begin and a
duration in microseconds; those of one thread nest, so that steps at the same time get threads of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bskernel.report.page.timeline import StepTime, Timeline

_BUILD = 1  # the number of the only process


def trace_events(name: str, timeline: Timeline) -> dict[str, Any]:
    """The trace of a build: a slice for each step and item, in it how long it waited, on as few rows as fit."""
    timed = [step for step in timeline.steps if step.begin is not None and step.end is not None]
    rows = _rows(timed)
    events: list[dict[str, Any]] = [_named("process_name", 0, f"bskernel {name}")]
    events += [_named("thread_name", row, f"row {row}") for row in sorted(set(rows))]
    for step, row in zip(timed, rows, strict=True):
        events += _slices(step, row)
    return {"displayTimeUnit": "ms", "traceEvents": events}


def _rows(steps: Sequence[StepTime]) -> list[int]:
    """The row of each step, from 1 on: the first that is free when it begins."""
    free: list[float] = []  # when each row becomes free
    rows = {}
    for at in sorted(range(len(steps)), key=lambda at: (steps[at].begin or 0.0, at)):
        begin, end = steps[at].begin or 0.0, steps[at].end or 0.0
        row = next((row for row, since in enumerate(free) if since <= begin), len(free))
        if row == len(free):
            free.append(0.0)
        free[row] = end
        rows[at] = row + 1
    return [rows[at] for at in range(len(steps))]


def _named(kind: str, row: int, name: str) -> dict[str, Any]:
    return {"ph": "M", "name": kind, "pid": _BUILD, "tid": row, "args": {"name": name}}


def _slices(step: StepTime, row: int) -> list[dict[str, Any]]:
    report = step.report
    told = {"status": report.status, "executor": report.executor, "entry": report.entry, "key": report.key}
    if report.peak_mib is not None:
        told["peak_mib"] = str(report.peak_mib)
    begin, end = step.begin or 0.0, step.end or 0.0
    found = [_slice(report.name, report.status, begin, end, row, told)]
    if step.ran_from is not None and step.ran_from > begin:
        found.append(_slice("waits", "wait", begin, step.ran_from, row, {}))
    return found


def _slice(name: str, kind: str, begin: float, end: float, row: int, told: dict[str, Any]) -> dict[str, Any]:
    start = round(begin * 1e6)
    return {
        "ph": "X",
        "name": name,
        "cat": kind,
        "ts": start,
        "dur": max(1, round(end * 1e6) - start),
        "pid": _BUILD,
        "tid": row,
        "args": told,
    }
