"""Finds build directories, and reads what the history says of them."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import Artifact, Failure

from bskernel.core.errors import ConfigError
from bskernel.history.past_build import DamagedBuild, DescribedBuild, History, PastBuild, PastStep
from bskernel.lock.build_lock import ExecutorParts, Release
from bskernel.remains.plain_files import read_plain
from bskernel.result.build_directory import BUILD_LOG, CONFIG, FAILURE, RESULT, BuildDirectory
from bskernel.result.build_result import BuiltModel
from bskernel.result.integrity import find_altered
from bskernel.result.output_folder import MARK
from bskernel.result.quantities import quantities_of
from bskernel.result.result_file import DAMAGED, read_result, result_path
from bskernel.result.written_files import altered_files
from bskernel.store import DiskStore
from bskernel.sweeps.analysis.table import PointStatus
from bskernel.sweeps.results.sweep_file import POINTS, SWEEP

_LARGEST = 64 << 20  # bytes of a build's log, or of its config.json
_STEPS = "steps"


class _ReadOrigin(msgspec.Struct, frozen=True, kw_only=True):
    bskernel: Release
    model: BuiltModel
    executors: dict[str, ExecutorParts]


class _ReadStep(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    executor: str
    entry: str
    status: str
    seconds: float = 0.0
    key: str | None = None


class _ReadResult(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of result.json that the history is about."""

    name: str
    status: PointStatus
    runtime: str
    seconds: float
    steps: tuple[_ReadStep, ...]
    artifacts: dict[str, Artifact] = {}
    metrics: dict[str, Any] | None = None
    failure: Failure | None = None
    failed_step: str | None = None
    origin: _ReadOrigin | None = None


class _TimedEvent(msgspec.Struct, frozen=True, kw_only=True):
    timestamp: dt.datetime


def read_history(places: Iterable[Path]) -> History:
    """All build directories in or below these folders, the newest first; points of sweeps are builds, too.

    Raises ConfigError for a place that is no folder.
    """
    builds: dict[Path, PastBuild] = {}
    damaged: dict[Path, DamagedBuild] = {}
    for place in places:
        closed: list[OSError] = []
        for folder in _find(place, closed.append):
            try:
                builds[folder] = read_past_build(folder)
            except (ConfigError, OSError, *DAMAGED) as error:
                damaged[folder] = DamagedBuild(directory=_named(folder), reason=_reason(error, folder))
        for failed in closed:
            folder = Path(failed.filename or place)
            damaged[folder] = DamagedBuild(directory=_named(folder), reason=f"cannot be read: {failed.strerror}")
    newest = sorted(builds.values(), key=lambda build: (-build.ended.timestamp(), str(build.directory)))
    return History(builds=tuple(newest), damaged=tuple(damaged[folder] for folder in sorted(damaged)))


def _reason(error: Exception, folder: Path) -> str:
    return _as_utf8(str(error).removeprefix(f"{folder}/"))


def _named(folder: Path) -> Path:
    """The folder, for JSON, which cannot hold every name: bytes that are no UTF-8 are escaped."""
    return Path(_as_utf8(str(folder)))


def _as_utf8(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _find(place: Path, note_closed: Callable[[OSError], None]) -> Iterator[Path]:
    """Build directories in or below a folder. Follows no link, and enters no hidden folder and no build."""
    if not place.is_dir():
        raise ConfigError(f"{place}: no such folder", hint="give build directories, or folders with some in them")
    for folder, folders, files in os.walk(place, onerror=note_closed):
        names = {*folders, *files}
        if _is_build(names):
            folders.clear()
            yield Path(folder)
        elif _is_sweep(names):
            folders[:] = [POINTS] if POINTS in names else []
        else:
            folders[:] = sorted(name for name in folders if not name.startswith("."))


def _is_sweep(names: set[str]) -> bool:
    return SWEEP in names or (MARK in names and POINTS in names)


def _is_build(names: set[str]) -> bool:
    if MARK in names:
        return not _is_sweep(names) and not names.isdisjoint({RESULT, FAILURE, _STEPS, CONFIG})
    return RESULT in names and not names.isdisjoint({CONFIG, _STEPS})


def read_past_build(folder: Path) -> PastBuild:
    """What the files of a build directory say. Raises ConfigError, and OSError, for one that is damaged."""
    return _past_build(folder, read_result(folder, _ReadResult), altered_files(folder))


def _past_build(folder: Path, result: _ReadResult, altered: tuple[str, ...]) -> PastBuild:
    origin = result.origin
    executors: dict[str, str | None] = dict.fromkeys(sorted({step.executor for step in result.steps}))
    executors |= {name: parts.digest for name, parts in origin.executors.items()} if origin is not None else {}
    try:
        quantities = quantities_of(result.metrics)
        for item in quantities:
            float(item.value)
    except (OverflowError, RecursionError):
        raise ConfigError(f"{folder / RESULT}: a number in it is too large, or it nests too deep") from None
    return PastBuild(
        directory=_named(folder),
        name=result.name,
        status=result.status,
        ended=_ended(folder),
        seconds=result.seconds,
        runtime=result.runtime,
        model=origin.model.path if origin is not None else None,
        model_sha256=origin.model.sha256 if origin is not None else None,
        executors=executors,
        quantities=quantities,
        altered=altered,
    )


def _ended(folder: Path) -> dt.datetime:
    """The time of the last event in the build's log, or else that of result.json. Raises OSError."""
    lines = (read_plain(folder / BUILD_LOG, _LARGEST) or b"").splitlines()
    for line in reversed(lines):
        try:
            stamp = msgspec.json.decode(line, type=_TimedEvent).timestamp
            return stamp.astimezone(dt.UTC)
        except (*DAMAGED, OverflowError):
            continue
    return dt.datetime.fromtimestamp((folder / RESULT).stat().st_mtime, tz=dt.UTC)


def describe_build(path: Path, store: DiskStore) -> DescribedBuild:
    """One build; `store` says which of its steps need not run again. Raises ConfigError for a damaged directory."""
    result = read_result(path, _ReadResult)
    folder = result_path(path).parent
    actions = BuildDirectory(folder).actions_of({step.name: step.key for step in result.steps})
    steps = []
    for step in result.steps:
        kept = actions[step.name]
        steps.append(
            PastStep(
                name=step.name,
                executor=step.executor,
                entry=step.entry,
                status=step.status,
                seconds=step.seconds,
                key=step.key,
                cached=store.peek(kept) is not None if kept is not None else None,
            )
        )
    release = result.origin.bskernel if result.origin is not None else None
    return DescribedBuild(
        build=_past_build(folder, result, find_altered(path)),
        bskernel=" ".join(filter(None, (release.version, release.commit))) if release is not None else None,
        config=_config(folder),
        steps=tuple(steps),
        artifacts=result.artifacts,
        failure=result.failure,
        failed_step=result.failed_step,
    )


def _config(folder: Path) -> dict[str, Any] | None:
    data = read_plain(folder / CONFIG, _LARGEST)
    try:
        return msgspec.json.decode(data, type=dict[str, Any]) if data is not None else None
    except DAMAGED:
        return None
