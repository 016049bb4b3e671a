"""The logs that Vivado and Vitis HLS leave in FINN's build directory: FINN itself only says that one failed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from bskernel_executors.vivado_reports import Cause, first_cause, read_log

_NAMES = frozenset({"vivado.log", "vitis_hls.log", "runme.log"})


class ToolLog(msgspec.Struct, frozen=True, kw_only=True):
    """A tool's log, and the first true cause in it, if there is one."""

    text: str
    cause: Cause | None = None


def _read(path: Path) -> ToolLog:
    text = path.read_text(encoding="utf-8", errors="replace")
    return ToolLog(text=text, cause=first_cause(read_log(text)))


def _logs(error: BaseException, state: Path) -> Iterator[Path]:
    """The log that the exception names, then those below `state`, the newest first."""
    named = getattr(error, "vivado_logfile", None)
    if named is not None and Path(named).is_file():
        yield Path(named)
    logs = [path for path in state.rglob("*.log") if path.name in _NAMES and path.is_file()]
    yield from sorted(logs, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def tool_log(error: BaseException, state: Path) -> ToolLog | None:
    """The first log that has a cause, or else the first; None when no tool has left one."""
    found = [_read(path) for path in _logs(error, state)]
    return next((log for log in found if log.cause is not None), next(iter(found), None))
