"""A build's log: JSON lines in the build directory, and the same events in colour on a terminal when asked for."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from typing import Any, Literal, Self, TextIO, TypeAlias

import msgspec
from bskernel_protocol import Event, OutputLine

from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep
from bskernel.report.terminal import SilentObserver

Level: TypeAlias = Literal["debug", "info", "error"]
Write: TypeAlias = Callable[[Level, str, dict[str, Any]], None]

_COLOURS: dict[Level, str] = {"debug": "2", "info": "32", "error": "1;31"}


def _now() -> str:
    return dt.datetime.now(tz=dt.UTC).isoformat().replace("+00:00", "Z")


def _json_lines(file: TextIO) -> Write:
    encoder = msgspec.json.Encoder()

    def write(level: Level, event: str, values: dict[str, Any]) -> None:
        line = encoder.encode({**values, "event": event, "level": level, "timestamp": _now()})
        file.write(line.decode() + "\n")

    return write


def _for_people(stream: TextIO) -> Write:
    def painted(text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if stream.isatty() else text

    def write(level: Level, event: str, values: dict[str, Any]) -> None:
        told = "".join(f" {painted(key, '36')}={value}" for key, value in values.items() if value is not None)
        # Together, so that threads that share the stream do not cut one another's lines.
        stream.write(f"{painted(_now(), '2')} {painted(f'{level:<5}', _COLOURS[level])} {event:<16}{told}\n")
        stream.flush()

    return write


class Log(SilentObserver):
    """Writes what an observer hears of as log events."""

    def __init__(self, write: Write, *, lines: bool) -> None:
        self._write = write
        self._lines = lines

    @classmethod
    def to_file(cls, file: TextIO) -> Self:
        """JSON lines; what the steps print is in their own logs."""
        return cls(_json_lines(file), lines=False)

    @classmethod
    def to_terminal(cls, stream: TextIO | None = None) -> Self:
        """For people, with what the steps print."""
        return cls(_for_people(stream or sys.stderr), lines=True)

    def _name(self, step: Step) -> str:
        return step.name

    def note(self, text: str) -> None:
        """Something beside the steps."""
        self._write("info", "note", {"text": text})

    def planned(self, steps: tuple[Step, ...]) -> None:
        """What is to be done."""
        self._write("info", "build started", {"steps": len(steps)})

    def started(self, step: Step) -> None:
        """A step begins."""
        told = {"step": self._name(step), "executor": str(step.executor), "digest": step.executor.digest}
        self._write("info", "step started", told)

    def event(self, step: Step, event: Event) -> None:
        """What a step says."""
        if self._lines and isinstance(event, OutputLine):
            self._write("debug", event.text, {"step": self._name(step), "stream": event.stream})

    def ended(self, step: Step, ended: EndedStep) -> None:
        """What became of a step."""
        report = ended.report
        told = {"step": self._name(step), "status": report.status, "seconds": report.seconds, "key": report.key}
        if report.failure is None:
            self._write("info", "step ended", told)
        else:
            failure = report.failure
            self._write("error", "step failed", {**told, "category": failure.category, "message": failure.message})

    def over(self) -> None:
        """Nothing more comes."""
        self._write("info", "build ended", {})
