"""Writes the build directory of a finished point, unless the same content is there already."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import msgspec

from bskernel.core.interfaces import Store
from bskernel.core.manifest import manifest_of
from bskernel.core.shared_json import SharedJson
from bskernel.core.step_report import EndedStep
from bskernel.execution.step_inputs import read_log
from bskernel.flow.loaded_config import LoadedConfig
from bskernel.flow.snapshot import snapshot_config
from bskernel.host.system import system_facts
from bskernel.lock.build_lock import BuildLock
from bskernel.plan.backend_choice import Choice
from bskernel.plan.target import doubts_about
from bskernel.result.build_directory import CONFIG, BuildDirectory, HardlinkCache, RecordedStep
from bskernel.result.build_result import BuildResult, json_by_step, newest_artifacts, origin_of
from bskernel.result.result_writer import summarize, write_or_bare
from bskernel.sweeps.analysis.table import Row
from bskernel.sweeps.execution.finished_point import FinishedPoint, PointStep
from bskernel.sweeps.planning.graph import Point
from bskernel.sweeps.results.sweep_file import POINTS

_WRITTEN = 3  # the version of what is written; directories of other versions are rewritten
_AT_ONCE = 8  # steps that are noted in one part
_T = TypeVar("_T")
InParts: TypeAlias = Generator[None, None, _T]  # work that pauses after each part, and in the end has a result


class PointBuild(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration and backend of a point, for its directory."""

    loaded: LoadedConfig
    lock: BuildLock | None
    backend: Choice | None = None


class PointWriter:
    """Writes finished points, one at a time, to OUTPUT/points/NAME."""

    def __init__(self, output: Path, store: Store, base: LoadedConfig) -> None:
        """`base` is the configuration that points vary."""
        self._folder = output / POINTS
        self._store = store
        self._twins = HardlinkCache()
        # Points share reports, and name equal steps in their locks.
        self._results: SharedJson[BuildResult] = SharedJson("steps", id)
        self._locks: SharedJson[BuildLock] = SharedJson("flow", msgspec.msgpack.encode)
        # Where a shared step is recorded already, by the identity of its outcome.
        self._noted: dict[int, tuple[EndedStep, RecordedStep]] = {}
        self._host = system_facts()
        self._base = msgspec.json.encode(snapshot_config(base), order="sorted").decode()

    def record(
        self, ended: FinishedPoint, build_of: Callable[[Point], PointBuild], *, runtime: str
    ) -> InParts[tuple[Row, tuple[str, ...]]]:
        """The point's row, and the artifacts whose bytes are gone or damaged; no result is written then.

        `build_of` is called only for points that are written. Whoever stops between two parts leaves a directory
        without a result, as a build does that was killed.
        """
        path = self._folder / ended.point.name
        row = row_of(ended, path)
        stamp = self._stamp(ended, path)
        directory = BuildDirectory(path, self._twins)
        if ended.lost:
            return row, ended.lost
        if ended.status in {"ok", "stopped"} and directory.stamp() == stamp and not self._altered(ended, directory):
            return row, ()
        damaged = yield from self._write(ended, build_of(ended.point), directory, runtime)
        if not damaged and ended.status in {"ok", "stopped"}:
            directory.write_stamp(stamp)
        return row, damaged

    def _write(
        self, ended: FinishedPoint, build: PointBuild, directory: BuildDirectory, runtime: str
    ) -> InParts[tuple[str, ...]]:
        directory.open()
        try:
            directory.write_config(snapshot_config(build.loaded))
            directory.write_lock(self._locks.encode(build.lock) if build.lock is not None else None)
            for at, part in enumerate(part for step in ended.steps for part in step.parts):
                if at % _AT_ONCE == 0:
                    yield
                self._note(part, directory)
            yield
            result = summarize(
                build.loaded,
                tuple(item.step for item in ended.steps),
                tuple(item.ended.report for item in ended.steps),
                ended.metrics,
                output=directory.path,
                runtime=runtime if any(item.ended.report.status == "ran" for item in ended.steps) else "none",
                seconds=sum(item.ended.report.seconds for item in ended.steps),
                again=(str(directory.path / CONFIG),),
                backend=build.backend,
                stopped_by=ended.reason if ended.status == "stopped" else None,
                warnings=doubts_about(build.loaded.config.target),
                origin=origin_of(build.lock, self._host) if build.lock is not None else None,
            )
            _, damaged = write_or_bare(directory, result, self._store, self._results.encode)
            yield
            directory.note_rest()
            return damaged
        finally:
            directory.close()

    @staticmethod
    def _altered(ended: FinishedPoint, directory: BuildDirectory) -> bool:
        """True when files of the point's directory are not as they were written."""
        reports = tuple(item.ended.report for item in ended.steps)
        by_step = {step: made.values() for step, made in json_by_step(reports).items()}
        return bool(directory.altered(newest_artifacts(reports).values(), by_step))

    def _note(self, item: PointStep, directory: BuildDirectory) -> None:
        if item.ended.action is None:
            return
        _, twin = self._noted.get(id(item.ended), (None, None))
        if twin is None or not directory.record_same_step(item.step.label, twin):
            manifest = manifest_of(item.step, item.ended.inputs)
            noted = directory.record_step(item.step.label, item.ended.action, manifest, self._log(item))
            self._noted[id(item.ended)] = (item.ended, noted)  # holding it keeps its id unique

    def _log(self, item: PointStep) -> bytes:
        return item.ended.log or read_log(item.log, self._store)

    def _stamp(self, ended: FinishedPoint, path: Path) -> str:
        """The digest of everything written, except times and whether a step ran or was recalled."""
        steps: list[Any] = []
        for item in ended.steps:
            report = item.ended.report
            status = "made" if report.status in {"ran", "recalled"} else report.status
            steps.append((item.step.label, item.step.parameters, report.key, status, report.outputs, report.record))
        written = (_WRITTEN, self._base, str(path), ended.point.settings, ended.status, ended.reason, steps)
        return hashlib.sha256(msgspec.json.encode(written, order="sorted")).hexdigest()


def row_of(ended: FinishedPoint, directory: Path | None) -> Row:
    """The point's row in the table."""
    return Row(
        name=ended.point.name,
        settings=ended.point.settings,
        status=ended.status,
        reason=ended.reason,
        quantities=ended.quantities,
        directory=directory,
    )
