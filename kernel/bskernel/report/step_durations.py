"""How long steps took in earlier builds of this cache: what a board expects of those that run."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from bskernel.core.step import Step
from bskernel.core.step_report import StepReport
from bskernel.host.temporary import mark
from bskernel.remains.plain_files import move, read_plain

STEP_DURATIONS = "step-durations.json"
_LIMIT = 4 << 20  # bytes of the file
_MOST = 2000  # steps in it; those that ran least recently are dropped


class StepDuration(msgspec.Struct, frozen=True, array_like=True):
    """What a step took."""

    seconds: float
    peak_mib: int | None = None


_times = msgspec.json.Decoder(dict[str, StepDuration])


class StepDurations:
    """What steps took, by build and step, and by entry for steps that this build has not run.

    It is for people alone: no result depends on it, and it may be lost.
    """

    def __init__(self, folder: Path, build: str) -> None:
        """`folder` is the cache. Nothing is read before the first question."""
        self._path = folder / STEP_DURATIONS
        self._build = build
        self._known: dict[str, StepDuration] | None = None
        self._ran: dict[str, StepDuration] = {}

    def expected(self, step: Step) -> StepDuration | None:
        """What the step took when it ran last; None if it never ran here."""
        if self._known is None:
            self._known = self._load()
        found = (self._ran.get(key) or self._known.get(key) for key in self._keys(step))
        return next((time for time in found if time is not None), None)

    def ran(self, step: Step, report: StepReport) -> None:
        """Remember what a step took."""
        for key in self._keys(step):
            self._ran.pop(key, None)
            self._ran[key] = StepDuration(report.seconds, report.peak_mib)

    def save(self) -> None:
        """Write what was learned beside what other builds wrote meanwhile. A cache that is read-only is no error."""
        if not self._ran:
            return
        before = {key: time for key, time in self._load().items() if key not in self._ran}
        kept = dict([*before.items(), *self._ran.items()][-_MOST:])
        fresh = self._path.with_name(f"{self._path.name}{mark()}")
        with contextlib.suppress(OSError):
            fresh.write_bytes(msgspec.json.encode(kept))
            move(fresh, self._path)
        self._ran = {}

    def _keys(self, step: Step) -> tuple[str, str]:
        return f"{self._build}/{step.table}", f"{step.executor}:{step.entry}"

    def _load(self) -> dict[str, StepDuration]:
        try:
            found = _times.decode(read_plain(self._path, _LIMIT) or b"{}")
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return {}
        return {key: time for key, time in found.items() if 0 <= time.seconds < 1e9}
