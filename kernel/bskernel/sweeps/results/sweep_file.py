"""Reads and writes sweep.json and sweep.csv, of a finished or unfinished sweep."""

from __future__ import annotations

from pathlib import Path

import msgspec
from bskernel_protocol import pretty_json

from bskernel.core.errors import ConfigError
from bskernel.core.visible_text import visible
from bskernel.result.build_directory import RESULT
from bskernel.result.integrity import find_altered_points
from bskernel.result.result_file import DAMAGED, read_document
from bskernel.result.written_files import altered_files, note_written, replace
from bskernel.sweeps.analysis.analysis_types import Goals
from bskernel.sweeps.analysis.columns import as_csv
from bskernel.sweeps.analysis.table import Row, SweepTable
from bskernel.sweeps.results.sweep_result import StepCounts, SweepResult

SWEEP = "sweep.json"
CSV = "sweep.csv"
POINTS = "points"  # the folder of the build directories
_DIRECTORY = "give the output directory of a sweep"


class StoredSweep(msgspec.Struct, frozen=True, kw_only=True):
    """The content of sweep.json: the points so far, the goals, and what it took. Other fields are ignored."""

    table: SweepTable
    goals: Goals = Goals()
    status: str | None = None
    counts: StepCounts | None = None
    seconds: float | None = None


def is_sweep(path: Path) -> bool:
    """True for the directory of a sweep, also of one that has not ended, and for its sweep.json."""
    if path.is_dir():
        return (path / SWEEP).exists() or ((path / POINTS).is_dir() and not (path / RESULT).exists())
    return path.name == SWEEP


def read_sweep(path: Path) -> StoredSweep:
    """Read a sweep's directory or its sweep.json; directories of points become absolute. Raises ConfigError."""
    file = path / SWEEP if path.is_dir() else path
    if file.exists() and not file.is_file():
        raise ConfigError(f"{file}: is not a plain file", hint=_DIRECTORY)
    try:
        kept = msgspec.json.decode(read_document(file), type=StoredSweep, dec_hook=_path)
    except FileNotFoundError:
        raise ConfigError(f"{file}: no such file", hint=_hint(path)) from None
    except OSError as error:
        raise ConfigError(f"{file}: not readable: {error.strerror}") from error
    except DAMAGED as error:
        raise ConfigError(f"{file}: not a sweep result: {error}", hint=_DIRECTORY) from error
    rows = tuple(_at(row, file.parent.resolve()) for row in kept.table.rows)
    return msgspec.structs.replace(kept, table=msgspec.structs.replace(kept.table, rows=rows))


def write_sweep(result: SweepResult) -> None:
    """Write the table as sweep.csv, and sweep.json last.

    Directories of points are relative to the sweep's, so that the folder can be moved.
    """
    rows = tuple(_below(row, result.directory) for row in result.table.rows)
    data = {name: getattr(result, name) for name in ("status", "goals", "counts", "failures", "runtime", "seconds")}
    if result.repetitions:
        data["repetitions"] = result.repetitions
    data["table"] = msgspec.structs.replace(result.table, rows=rows)
    files = {CSV: visible(as_csv(result.table)).encode(), SWEEP: pretty_json(data).encode()}
    note_written(result.directory, files, {})
    for name, content in files.items():
        replace(result.directory / name, content)


def find_altered_sweep(path: Path) -> tuple[str, ...]:
    """What in a sweep's directory, or beside its sweep.json, changed since the sweep: "sweep.csv: altered", ..."""
    folder = path if path.is_dir() else path.parent
    return (*altered_files(folder), *find_altered_points(folder / POINTS))


def _hint(path: Path) -> str:
    if (path / POINTS).is_dir():
        return "the sweep is running or was killed: run it again, finished steps are recalled"
    return _DIRECTORY


def _path(type_: type, value: object) -> Path:
    if type_ is not Path:
        raise NotImplementedError(type_)
    if not isinstance(value, str):
        raise TypeError("a path is a text")
    return Path(value)


def _at(row: Row, folder: Path) -> Row:
    return msgspec.structs.replace(row, directory=folder / row.directory) if row.directory is not None else row


def _below(row: Row, folder: Path) -> Row:
    return (
        msgspec.structs.replace(row, directory=row.directory.relative_to(folder))
        if row.directory is not None
        else row
    )
