"""Read `report_utilization` as text: how much of the device a design uses.

The names of rows depend on the family ("Slice LUTs", "CLB LUTs", "Registers" on Versal) and end in * after synthesis.
Columns are found by name, because they have changed ("Prohibited" appeared between 2019.2 and 2021.2). A count is
used only if it agrees with the percentage beside it.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from bskernel_executors.vivado_reports.header import ReportHeader, read_header
from bskernel_executors.vivado_reports.numbers import parse_count, parse_decimal
from bskernel_executors.vivado_reports.tables import ReportRow, read_tables

# Our names -> names of rows. An indented row is a part of the row above.
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
_FRACTIONAL = {"BRAM"}  # in tiles: a RAMB18 is half a tile


class Utilization(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Counts by resource, with BRAM in tiles of 36 Kb; `available` is the device's total.

    `before_implementation`: the LUTs are marked with a star, as they are until the design is optimised.
    """

    header: ReportHeader
    used: dict[str, float] = {}
    available: dict[str, int] = {}
    before_implementation: bool = False
    warnings: tuple[str, ...] = ()


def _matches_share(used: float, available: int, text: str) -> bool:
    if available <= 0:
        return False
    share = 100 * used / available
    if text.startswith("<"):
        bound = parse_decimal(text[1:])
        return bound is not None and 0 < share < bound + 0.005
    stated = parse_decimal(text)
    return stated is not None and abs(stated - share) <= 0.00501


def _checked(name: str, row: ReportRow) -> tuple[float, int] | None:
    """Return used and available if both are numbers and agree with the percentage beside them."""
    text = row.cells.get("Used")
    used: float | None = parse_count(text)
    if used is None and name in _FRACTIONAL:
        used = parse_decimal(text)
    available = parse_count(row.cells.get("Available"))
    if used is None or available is None or used < 0 or used * 2 % 1:
        return None
    if not _matches_share(used, available, row.cells.get("Util%", "")):
        return None
    return used, available


def _agreeing(found: Iterable[tuple[float, int] | None]) -> tuple[float, int] | None:
    """Return the value that all rows of one name agree on, or None."""
    values = set(found)
    return values.pop() if len(values) == 1 else None


def _memory(rows: dict[str, list[ReportRow]]) -> dict[str, float]:
    """Read LUTs as RAM and as shift registers. They have no percentage, but must sum up to the row above."""
    parts = {
        name: {parse_count(row.cells.get("Used")) for row in rows.get(_ROWS[name][0], [])}
        for name in ("LUTRAM", "SRL")
    }
    total = _agreeing(_checked("LUT", row) for row in rows.get(_MEMORY, []))
    values = {name: found.pop() for name, found in parts.items() if len(found) == 1}
    known = {name: float(value) for name, value in values.items() if value is not None}
    return known if total is not None and len(known) == 2 and sum(known.values()) == total[0] else {}


def read_utilization(text: str) -> Utilization:
    """Read the counts, each checked against its percentage of the device."""
    header = read_header(text)
    warnings = list(header.check_version("utilization"))
    rows: dict[str, list[ReportRow]] = {}
    starred = False
    for table in read_tables(text):
        if {"Site Type", "Used", "Available", "Util%"} <= set(table.columns):
            for row in table.rows:
                name = row.cells["Site Type"]
                # Rows of FIFOs and PLLs have stars, too: footnotes.
                starred = starred or (name.endswith("*") and name[:-1] in _ROWS["LUT"])
                rows.setdefault(name.rstrip("*"), []).append(row)
    used, available = {}, {}
    memory = _memory(rows)
    for resource, names in _ROWS.items():
        stated = [row for name in names for row in rows.get(name, [])]
        if resource in {"LUTRAM", "SRL"}:
            if resource in memory:
                used[resource] = memory[resource]
            elif stated:
                warnings.append(f"the utilization report does not state {resource} plainly")
            continue
        found = _agreeing(_checked(resource, row) for row in stated)
        if found is not None:
            used[resource], available[resource] = found
        elif stated:
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
