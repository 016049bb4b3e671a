"""A build or a sweep while it runs: what its log says by now, and whether its process lives."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from bskernel.host.lock_holder import Holder, find_holder
from bskernel.host.process import signs_of, start_time
from bskernel.remains.plain_files import read_plain
from bskernel.result.build_directory import BUILD_LOG, CONFIG, RESULT
from bskernel.result.log_events import read_events
from bskernel.result.output_folder import MARK

_LIMIT = 256 << 20  # bytes of a log
_SWEEP_RESULT = "sweep.json"

# "died": its process ended without a result. "refused": it ended without one, and an earlier result stays.
RunState = Literal["running", "stopped", "ended", "died", "refused"]


class LoggedStep(msgspec.Struct, kw_only=True):
    """A step as the log shows it; `status` is "running" until it has ended."""

    name: str
    executor: str = ""
    status: str = "running"
    seconds: float = 0.0
    key: str | None = None
    began: float | None = None  # seconds since the epoch


class LoggedPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A point of a sweep that has ended."""

    name: str
    status: str
    reason: str = ""
    settings: Mapping[str, Any] = {}


class RunLog(msgspec.Struct, frozen=True, kw_only=True):
    """What the log of a build or a sweep holds by now."""

    events: tuple[Mapping[str, Any], ...] = ()
    steps: tuple[LoggedStep, ...] = ()  # that have begun, in order
    points: tuple[LoggedPoint, ...] = ()
    planned: int = 0  # steps
    planned_points: int = 0
    began: float | None = None  # seconds since the epoch

    @property
    def done(self) -> int:
        """How many steps have ended."""
        return sum(step.status != "running" for step in self.steps)


class RunningBuild:
    """Follows a build or a sweep that runs. It takes no lock, so that the next build there can begin at any time."""

    def __init__(self, folder: Path, holder: Holder) -> None:
        """`holder` is the process that writes to the folder."""
        self.folder = folder
        self.holder = holder
        self._started = start_time(holder.pid)
        self._read: tuple[tuple[int, int], RunLog] | None = None

    @classmethod
    def find(cls, folder: Path) -> RunningBuild | None:
        """The build that writes to a folder now; None if there is none on this machine and of this user."""
        holder = find_holder(folder / MARK) if (folder / MARK).is_file() else None
        return cls(folder, holder) if holder is not None else None

    @property
    def is_sweep(self) -> bool:
        """True for a sweep: a build writes config.json before its first step starts."""
        return not (self.folder / CONFIG).exists() and bool(self.log().steps)

    @property
    def result_path(self) -> Path:
        """The file that it writes last."""
        return self.folder / (_SWEEP_RESULT if self.is_sweep else RESULT)

    def state(self) -> RunState:
        """Whether it runs, and else how it ended."""
        signs = signs_of(self.holder.pid)
        alive = signs.state != "gone" and signs.started == self._started
        # A program may go on after its build; the lock is looked for where a result says that the build has ended.
        if alive and not (self.result_path.exists() and find_holder(self.folder / MARK) is None):
            return "stopped" if signs.state == "stopped" else "running"
        try:
            written = self.result_path.stat().st_mtime
        except OSError:
            return "died"
        began = self.log().began
        return "ended" if began is None or written >= began else "refused"

    def log(self) -> RunLog:
        """What its log holds by now."""
        try:
            found = (self.folder / BUILD_LOG).stat()
        except OSError:
            return RunLog()
        stamp = (found.st_size, found.st_mtime_ns)
        if self._read is None or self._read[0] != stamp:
            self._read = (stamp, read_run_log(self.folder))
        return self._read[1]

    def name(self) -> str:
        """The name of the build: that in its config.json, or that of its folder."""
        try:
            config = msgspec.json.decode(read_plain(self.folder / CONFIG, _LIMIT) or b"{}")
            return str(config["build"]["name"])
        except (msgspec.DecodeError, ValueError, TypeError, KeyError, RecursionError):
            return self.folder.absolute().name


def read_run_log(folder: Path) -> RunLog:
    """Read the log of a build directory; a line that is not whole yet is left out."""
    events = read_events(folder / BUILD_LOG)
    steps: dict[str, LoggedStep] = {}
    points: dict[str, LoggedPoint] = {}
    planned = planned_points = 0
    for event in events:
        kind, name = event.get("event"), str(event.get("step", ""))
        if kind == "build started":
            planned += _count(event.get("steps"))
        elif kind == "step started":
            steps[name] = LoggedStep(name=name, executor=str(event.get("executor", "")), began=_moment(event))
        elif kind in {"step ended", "step failed"}:
            step = steps.setdefault(name, LoggedStep(name=name))
            step.status, step.key = str(event.get("status", "")), str(event.get("key", "")) or None
            step.seconds = float(_number(event.get("seconds")))
        elif kind == "point ended":
            planned_points = max(planned_points, _count(event.get("of")))
            known = {"point", "done", "of", "status", "reason", "event", "level", "timestamp"}
            settings = {key: value for key, value in event.items() if key not in known}
            point = str(event.get("point", ""))
            reason = str(event.get("reason") or "")
            points[point] = LoggedPoint(
                name=point, status=str(event.get("status", "")), reason=reason, settings=settings
            )
    return RunLog(
        events=events,
        steps=tuple(steps.values()),
        points=tuple(points.values()),
        planned=planned,
        planned_points=planned_points,
        began=_moment(events[0]) if events else None,
    )


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) else 0.0


def _moment(event: Mapping[str, Any]) -> float | None:
    try:
        return dt.datetime.fromisoformat(str(event.get("timestamp"))).timestamp()
    except (ValueError, OverflowError):
        return None
