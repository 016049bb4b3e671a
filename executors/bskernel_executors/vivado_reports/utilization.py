"""`report_utilization` as text: what of the device a design takes.

Rows are named by family ("Slice LUTs", "CLB LUTs", "Registers" on Versal) and end in * after synthesis; the columns
have changed over the years ("Prohibited" came between 2019.2 and 2021.2), so they are found by name. A count is taken
only where its share of the device is the one that stands beside it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bskernel_executors.vivado_reports.header import ReportHeader, read_header
from bskernel_executors.vivado_reports.numbers import count, decimal
from bskernel_executors.vivado_reports.tables import Row, read_tables

# Our names, and the rows that say them; an indented row is a part of the one above.
_ROWS = {
    "LUT": ("Slice LUTs", "CLB LUTs"),
    "LUTRAM": ("LUT as Distributed RAM",),
    "SRL": ("LUT as Shift Register",),
    "FF": ("Slice Registers", "CLB Registers", "Registers"),
    "CARRY": ("CARRY8", "LOOKAHEAD8"),
    "BRAM": ("Block RAM Tile",),
    "BRAM_36K": ("RAMB36/FIFO",),
    "BRAM_18K": ("RAMB18",),
    "URAM": ("URAM",),
    "DSP": ("DSPs", "DSP Slices"),
}
_MEMORY = "LUT as Memory"
_FRACTIONAL = {"BRAM"}  # tiles: a RAMB18 is half of one


class Utilization(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counts by resource, BRAM in tiles of 36 Kb; `available` is the device's.

    `before_implementation`: the LUTs have a star, as they do until the design is optimised.
    """

    header: ReportHeader
    used: dict[str, float] = {}
    available: dict[str, int] = {}
    before_implementation: bool = False
    warnings: tuple[str, ...] = ()


def _share_fits(used: float, available: int, text: str) -> bool:
    if available <= 0:
        return False
    share = 100 * used / available
    if text.startswith("<"):
        bound = decimal(text[1:])
        return bound is not None and 0 < share < bound + 0.005
    told = decimal(text)
    return told is not None and abs(told - share) <= 0.00501


def _checked(name: str, row: Row) -> tuple[float, int] | None:
    """Used and available, when both are numbers and their ratio is the one beside them."""
    told = row.cells.get("Used")
    used: float | None = count(told)
    if used is None and name in _FRACTIONAL:
        used = decimal(told)
    available = count(row.cells.get("Available"))
    if used is None or available is None or used < 0 or used * 2 % 1:
        return None
    if not _share_fits(used, available, row.cells.get("Util%", "")):
        return None
    return used, available


def _agreeing(found: Iterable[tuple[float, int] | None]) -> tuple[float, int] | None:
    """What all rows of one name say, or None."""
    values = set(found)
    return values.pop() if len(values) == 1 else None


def _memory(rows: dict[str, list[Row]]) -> dict[str, float]:
    """LUTs as RAM and as shift registers, which have no share beside them: their sum must be the row above."""
    parts = {
        name: {count(row.cells.get("Used")) for row in rows.get(_ROWS[name][0], [])} for name in ("LUTRAM", "SRL")
    }
    total = _agreeing(_checked("LUT", row) for row in rows.get(_MEMORY, []))
    values = {name: found.pop() for name, found in parts.items() if len(found) == 1}
    known = {name: float(value) for name, value in values.items() if value is not None}
    return known if total is not None and len(known) == 2 and sum(known.values()) == total[0] else {}


def read_utilization(text: str) -> Utilization:
    """The counts that the report says, each checked against its share of the device."""
    header = read_header(text)
    warnings = list(header.warnings("utilization"))
    rows: dict[str, list[Row]] = {}
    starred = False
    for table in read_tables(text):
        if {"Site Type", "Used", "Available", "Util%"} <= set(table.columns):
            for row in table.rows:
                name = row.cells["Site Type"]
                # Other rows have stars too: footnotes about FIFOs and PLLs.
                starred = starred or (name.endswith("*") and name[:-1] in _ROWS["LUT"])
                rows.setdefault(name.rstrip("*"), []).append(row)
    used, available = {}, {}
    memory = _memory(rows)
    for resource, names in _ROWS.items():
        said = [row for name in names for row in rows.get(name, [])]
        if resource in {"LUTRAM", "SRL"}:
            if resource in memory:
                used[resource] = memory[resource]
            elif said:
                warnings.append(f"the utilization report does not say {resource} plainly")
            continue
        found = _agreeing(_checked(resource, row) for row in said)
        if found is not None:
            used[resource], available[resource] = found
        elif said:
            warnings.append(f"the utilization report contradicts itself about {resource}")
    if not used:
        warnings.append("no utilization was found in the report")
    return Utilization(
        header=header,
        used=used,
        available=available,
        before_implementation=starred,
        warnings=tuple(warnings),
    )
