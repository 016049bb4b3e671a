"""A build's log: JSON lines in the build directory, and the same events in colour on a terminal when asked for."""

from __future__ import annotations

import sys
from typing import Any, TextIO

import structlog
from bskernel_protocol import Event, OutputLine

from bskernel.building import EndedStep
from bskernel.report.terminal import Silent
from bskernel.step import Step


def _logger(file: TextIO, render: Any) -> structlog.typing.FilteringBoundLogger:
    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.WriteLogger(file),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )
    return logger


class Log(Silent):
    """Writes what an observer hears of as log events."""

    def __init__(self, logger: structlog.typing.FilteringBoundLogger, *, lines: bool) -> None:
        self._logger = logger
        self._lines = lines

    @classmethod
    def to_file(cls, file: TextIO) -> Log:
        """JSON lines; what the steps print is in their own logs."""
        return cls(_logger(file, structlog.processors.JSONRenderer()), lines=False)

    @classmethod
    def to_terminal(cls, stream: TextIO | None = None) -> Log:
        """For people, with what the steps print."""
        target = stream or sys.stderr
        return cls(_logger(target, structlog.dev.ConsoleRenderer(colors=target.isatty())), lines=True)

    def note(self, text: str) -> None:
        """Something beside the steps."""
        self._logger.info("note", text=text)

    def planned(self, steps: tuple[Step, ...]) -> None:
        """What is to be done."""
        self._logger.info("build started", steps=len(steps))

    def started(self, step: Step) -> None:
        """A step begins."""
        self._logger.info("step started", step=step.name, executor=str(step.executor), digest=step.executor.digest)

    def event(self, step: Step, event: Event) -> None:
        """What a step says."""
        if self._lines and isinstance(event, OutputLine):
            self._logger.debug(event.text, step=step.name, stream=event.stream)

    def ended(self, step: Step, ended: EndedStep) -> None:
        """What became of a step."""
        report = ended.report
        told = {"step": step.name, "status": report.status, "seconds": report.seconds, "key": report.key}
        if report.failure is None:
            self._logger.info("step ended", **told)
        else:
            failure = report.failure
            self._logger.error("step failed", **told, category=failure.category, message=failure.message)

    def over(self) -> None:
        """Nothing more comes."""
        self._logger.info("build ended")
