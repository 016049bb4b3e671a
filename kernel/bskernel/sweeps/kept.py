"""sweep.json: a sweep as its directory keeps it, finished or not."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bskernel.errors import ConfigError
from bskernel.sweeps.outcome import Goals
from bskernel.sweeps.table import Row, SweepTable

SWEEP = "sweep.json"


class KeptSweep(msgspec.Struct, frozen=True, kw_only=True):
    """What sweep.json says: the points so far, and what was wanted of them. Other fields are passed over."""

    table: SweepTable
    goals: Goals = Goals()


def read_sweep(path: Path) -> KeptSweep:
    """A sweep's directory, or its sweep.json; directories of points are made absolute. Raises ConfigError."""
    file = path / SWEEP if path.is_dir() else path
    try:
        kept = msgspec.json.decode(file.read_bytes(), type=KeptSweep, dec_hook=_path)
    except FileNotFoundError:
        raise ConfigError(f"{file}: there is no such file", hint="give the output directory of a sweep") from None
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: not the result of a sweep: {error}") from error
    rows = tuple(_at(row, file.parent.resolve()) for row in kept.table.rows)
    return msgspec.structs.replace(kept, table=msgspec.structs.replace(kept.table, rows=rows))


def _path(type_: type, value: object) -> Path:
    if type_ is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(type_)


def _at(row: Row, folder: Path) -> Row:
    return msgspec.structs.replace(row, directory=folder / row.directory) if row.directory is not None else row
