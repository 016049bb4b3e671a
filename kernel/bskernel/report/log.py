"""The log of a build: JSON lines in the build directory, and with --verbose the same events on a terminal."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from typing import Any, Literal, Self, TextIO, TypeAlias

import msgspec
from bskernel_protocol import Event, OutputLine
from bskernel_protocol.controls import escape_json

from bskernel.core.observers import SilentObserver
from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep

Level: TypeAlias = Literal["debug", "info", "error"]
Write: TypeAlias = Callable[[Level, str, dict[str, Any]], None]

_encoder = msgspec.json.Encoder()


def serialize(event: dict[str, Any], **_: object) -> str:
    """Encode an event as JSON. structlog's renderer passes options of `json.dumps`, which msgspec does not have."""
    return escape_json(_encoder.encode(event).decode())


def _write_json(file: TextIO) -> Write:
    """Write the bytes that `log_pipeline.write_json` writes, without structlog.

    Importing structlog takes about as long as a whole build that only recalls.
    """

    def write(level: Level, event: str, values: dict[str, Any]) -> None:
        timestamp = dt.datetime.now(tz=dt.UTC).isoformat().replace("+00:00", "Z")
        file.write(serialize({**values, "event": event, "level": level, "timestamp": timestamp}) + "\n")

    return write


class Log(SilentObserver):
    """An observer that writes an event for each call."""

    def __init__(self, write: Write, *, lines: bool, pipeline: Callable[[], Write] | None = None) -> None:
        """With `lines`, what the steps print is logged. `pipeline` makes the writer to use once a step runs."""
        self._write = write
        self._lines = lines
        self._pipeline = pipeline

    @classmethod
    def to_file(cls, file: TextIO) -> Self:
        """Write JSON lines, without what the steps print: each step has its own log."""

        def pipeline() -> Write:
            from bskernel.report.log_pipeline import write_json

            return write_json(file)

        return cls(_write_json(file), lines=False, pipeline=pipeline)

    @classmethod
    def to_terminal(cls, stream: TextIO | None = None) -> Self:
        """Write for people, with what the steps print."""
        from bskernel.report.log_pipeline import write_console

        return cls(write_console(stream or sys.stderr), lines=True)

    def _name(self, step: Step) -> str:
        return step.name

    def note(self, text: str) -> None:
        """A remark about the build."""
        self._write("info", "note", {"text": text})

    def planned(self, steps: tuple[Step, ...]) -> None:
        """The build begins."""
        self._write("info", "build started", {"steps": len(steps)})

    def started(self, step: Step) -> None:
        """A step begins."""
        values = {"step": self._name(step), "executor": str(step.executor), "digest": step.executor.digest}
        self._write("info", "step started", values)

    def running(self, step: Step) -> None:
        """Write with structlog from now on; the import takes time that the step's session needs anyway to start."""
        if self._pipeline is not None:
            self._write, self._pipeline = self._pipeline(), None

    def event(self, step: Step, event: Event) -> None:
        """The step's executor sent an event."""
        if self._lines and isinstance(event, OutputLine):
            self._write("debug", event.text, {"step": self._name(step), "stream": event.stream})

    def ended(self, step: Step, ended: EndedStep) -> None:
        """A step has ended."""
        report = ended.report
        values = {"step": self._name(step), "status": report.status, "seconds": report.seconds, "key": report.key}
        if report.items:
            values["items"] = report.items_text
        if report.failure is None:
            self._write("info", "step ended", values)
        else:
            failure = report.failure
            self._write("error", "step failed", {**values, "category": failure.category, "message": failure.message})

    def over(self) -> None:
        """The build has ended."""
        self._write("info", "build ended", {})
