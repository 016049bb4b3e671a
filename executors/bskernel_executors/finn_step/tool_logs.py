"""The logs that Vivado and Vitis HLS leave in FINN's build directory: FINN itself only says that one failed."""

from __future__ import annotations

from pathlib import Path

from bskernel_executors.sdk import StepFailure
from bskernel_executors.vivado_reports import Cause, first_cause, read_log

_NAMES = frozenset({"vivado.log", "vitis_hls.log", "runme.log"})


def cause_in(state: Path) -> Cause | None:
    """The first true cause in the newest log that has one."""
    logs = [path for path in state.rglob("*.log") if path.name in _NAMES and path.is_file()]
    for path in sorted(logs, key=lambda path: path.stat().st_mtime_ns, reverse=True):
        cause = first_cause(read_log(path.read_text(encoding="utf-8", errors="replace")))
        if cause is not None:
            return cause
    return None


def failure_of_tool(step: str, cause: Cause) -> StepFailure:
    """The failure that the tool's cause stands for."""
    return StepFailure(
        category=cause.category if cause.category != "unknown" else None,
        message=f"{step}: {cause.text}",
        hint=cause.hint,
        cause=(cause.text,),
    )
