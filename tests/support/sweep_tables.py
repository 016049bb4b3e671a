"""Tables of sweeps: a recorded one, and such as are made by hand.

digits/sweep.json holds the estimates of examples/digits/build.toml for six target_fps and three clock_ns.
"""

from pathlib import Path
from typing import Any

from bskernel.result.quantities import FoundQuantity
from bskernel.sweeps.analysis.table import Row, SweepTable
from bskernel.sweeps.results.sweep_file import SWEEP, StoredSweep, read_sweep
from bskernel_protocol import pretty_json

DIGITS = Path(__file__).parent / "digits_sweep"


def digits() -> SweepTable:
    return read_sweep(DIGITS).table


def found(
    name: str, value: float, stage: str = "estimate", unit: str = "count", source: str = "report.json"
) -> FoundQuantity:
    return FoundQuantity(name=name, value=value, unit=unit, stage=stage, source=source)


def row(name: str, *quantities: FoundQuantity, status: Any = "ok", reason: str | None = None, **settings: Any) -> Row:
    return Row(name=name, settings=settings, status=status, reason=reason, quantities=quantities)


def table(*rows: Row) -> SweepTable:
    keys = tuple(dict.fromkeys(key for one in rows for key in one.settings))
    return SweepTable(name="digits", keys=keys, rows=rows)


def design(name: str, throughput: float, lut: float, **settings: Any) -> Row:
    return row(name, found("throughput", throughput, unit="inferences/s"), found("resources.LUT", lut), **settings)


def write_sweep(kept: StoredSweep, folder: Path) -> None:
    """sweep.json as `bskernel sweep` writes it, in which directories of points may be told from the sweep's."""
    (folder / SWEEP).write_text(pretty_json(kept), encoding="utf-8")
