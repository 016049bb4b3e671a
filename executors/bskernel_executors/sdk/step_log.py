"""A step's logger: structlog events, each a line of JSON on standard error, which the server copies into log.jsonl.

Nothing here changes structlog's global configuration. structlog is imported when the first logger is made, since its
import takes longer than a trivial step; a server imports it while it is idle, and its children inherit it.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import random
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, WrappedLogger

_STDERR = 2
_FIRST = ("event", "level")  # so that a line can be read from its start


def import_structlog() -> None:
    """Import structlog now, so that processes forked later inherit it. If it is missing, a step that logs fails."""
    # structlog imports rich if it is installed, and rich draws a random number during its import. What a step draws
    # must not depend on whether it has logged before.
    state = random.getstate()
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("structlog")
    random.setstate(state)


def _put_event_first(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {**{key: event[key] for key in _FIRST}, **{key: event[key] for key in event if key not in _FIRST}}


def make_logger(**context: str) -> FilteringBoundLogger:
    """Make a logger whose events all carry `context`, e.g. step, entry and executor.

    Values that JSON has no form for are written as text, with str().
    """
    import_structlog()
    import structlog

    # The descriptor and not sys.stderr, which libraries redirect. BytesLogger flushes after each line.
    stream = os.fdopen(_STDERR, "wb", closefd=False)
    render = structlog.processors.JSONRenderer(serializer=lambda event, **_: msgspec.json.encode(event, enc_hook=str))
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.BytesLogger(stream),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            _put_event_first,
            render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger("debug"),
        context_class=dict,
    )
    return logger.bind(**context)
