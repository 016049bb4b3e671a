"""The log's events through structlog: JSON for a file, columns for a terminal. The one module that imports structlog.

Every logger gets its processors here. structlog's global configuration belongs to the program that uses bskernel.
"""

from __future__ import annotations

from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from bskernel.core.visible_text import visible_line
from bskernel.report.colours import wants_colours
from bskernel.report.log import Level, Write, serialize

_QUOTED = frozenset(" \t=\r\n\"'")


def write_json(file: TextIO) -> Write:
    """Write an event as one line of JSON."""
    return _logger(file, structlog.processors.JSONRenderer(serializer=serialize))


def write_console(stream: TextIO) -> Write:
    """Write an event as one line for people."""
    columns = structlog.dev.ConsoleRenderer(colors=wants_colours(stream), sort_keys=False)
    return _logger(stream, _drop_absent, _make_visible, columns)


def _logger(stream: TextIO, *renderers: Processor) -> Write:
    processors: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        *renderers,
    ]
    # WriteLogger has one lock per stream, so that threads do not cut one another's lines.
    logger = structlog.wrap_logger(
        structlog.WriteLogger(stream),
        processors=processors,
        wrapper_class=structlog.BoundLogger,
        context_class=dict,
    ).bind()

    def write(level: Level, event: str, values: dict[str, Any]) -> None:
        getattr(logger, level)(event, **values)

    return write


def _drop_absent(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: value for key, value in event.items() if value is not None}


def _make_visible(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Before the renderer adds colours: one line, and nothing from outside that the terminal obeys."""
    return {
        visible_line(key): visible_line(value) if isinstance(value, str) and not _is_quoted(key, value) else value
        for key, value in event.items()
    }


def _is_quoted(key: str, value: str) -> bool:
    """The renderer writes such a value with repr, which has an escape for whatever is not printable."""
    return key != "event" and not _QUOTED.isdisjoint(value)
