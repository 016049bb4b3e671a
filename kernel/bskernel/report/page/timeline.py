"""When each step of a build waited and ran, from the build's log. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from bskernel.core.step_report import StepReport

_STARTED, _ENDED = "step started", frozenset({"step ended", "step failed"})


class StepTime(msgspec.Struct, frozen=True, kw_only=True):
    """A step, or an item of one, on the time axis. Times are in seconds since the build began."""

    report: StepReport
    number: int  # of the step
    item: bool = False
    begin: float | None = None  # when its inputs were there; None if the log does not say
    ran_from: float | None = None  # when it began to run: until then it waited for a session or a processor
    end: float | None = None

    @property
    def waited(self) -> float | None:
        """Seconds from its inputs to its start; None for a step that did not run, or without a log."""
        return None if self.begin is None or self.ran_from is None else self.ran_from - self.begin


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """All steps of a build in their order, each before its items."""

    seconds: float  # from the first event to the last
    steps: tuple[StepTime, ...]


def find_times(steps: Sequence[StepReport], seconds: float, log: Sequence[Mapping[str, Any]]) -> Timeline:
    """The timeline of a build that took `seconds`; `log` holds the events of its log.jsonl."""
    moments = [(moment, event) for event in log if (moment := _moment(event)) is not None]
    first = moments[0][0] if moments else 0.0
    begins: dict[str, float] = {}
    ends: dict[str, float] = {}
    for moment, event in moments:
        name = event.get("step")
        if isinstance(name, str) and event.get("event") == _STARTED:
            begins.setdefault(name, moment - first)
        elif isinstance(name, str) and event.get("event") in _ENDED:
            ends[name] = moment - first
    found = []
    for number, step in enumerate(steps):
        for report in (step, *step.items):
            begin, end = begins.get(report.name), ends.get(report.name)
            ran = report.status in {"ran", "failed"}
            from_ = max(begin, end - report.seconds) if ran and begin is not None and end is not None else None
            found.append(
                StepTime(report=report, number=number, item=report is not step, begin=begin, ran_from=from_, end=end)
            )
    return Timeline(seconds=max([seconds, *ends.values(), 0.001]), steps=tuple(found))


def _moment(event: Mapping[str, Any]) -> float | None:
    """The time of an event in seconds; None for one without."""
    try:
        return dt.datetime.fromisoformat(str(event.get("timestamp"))).timestamp()
    except (ValueError, OverflowError):
        return None
