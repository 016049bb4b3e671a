"""Read `report_power`: watts, and the tool's confidence in them."""

from __future__ import annotations

import re

import msgspec

from bskernel_executors.vivado_reports.header import ReportHeader, read_header
from bskernel_executors.vivado_reports.numbers import parse_decimal, sums_up
from bskernel_executors.vivado_reports.tables import read_tables

_NOTE = re.compile(r"^(\S+) +\(([^)]*)\)$")  # 47.395 (Junction temp exceeded!)
_DECIMALS = 3


class Power(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Watts, junction temperature in C, and watts by part of the chip. Parts below 1 mW are left out."""

    header: ReportHeader
    total_w: float | None = None
    dynamic_w: float | None = None
    static_w: float | None = None
    junction_c: float | None = None
    confidence: str | None = None  # Low, Medium or High
    parts: dict[str, float] = {}
    warnings: tuple[str, ...] = ()


def _summary(text: str) -> tuple[dict[str, str], dict[str, float]]:
    """Read the summary's labels and values, and the unindented rows of the chip's parts."""
    labels: dict[str, str] = {}
    parts: dict[str, float] = {}
    for table in read_tables(text):
        if table.columns == ("0", "1"):
            for row in table.rows:
                labels.setdefault(row.cells["0"], row.cells["1"])
        elif "On-Chip" in table.columns and "Power (W)" in table.columns:
            for row in table.rows:
                watts = parse_decimal(row.cells["Power (W)"])
                if row.depth == 0 and watts is not None:
                    parts[row.cells["On-Chip"]] = watts
    return labels, parts


def read_power(text: str) -> Power:
    """Read the report. Total, dynamic and static power must add up, or all are absent."""
    header = read_header(text)
    warnings = list(header.check_version("power"))
    labels, parts = _summary(text)

    def watts(label: str) -> float | None:
        cell = labels.get(label, "")
        note = _NOTE.match(cell)
        if note is not None:
            warnings.append(f"{label}: {note.group(2)}")
        return parse_decimal(note.group(1) if note is not None else cell)

    total, dynamic, static = (watts(name) for name in ("Total On-Chip Power (W)", "Dynamic (W)", "Device Static (W)"))
    known = total is not None and dynamic is not None and static is not None
    if known and not sums_up(total or 0, (dynamic or 0, static or 0), _DECIMALS):
        warnings.append("the power report contradicts itself: dynamic and static do not add up to the total")
        total = dynamic = static = None
        parts = {}
    if total is None:
        warnings.append("no total power was found in the report")
    confidence = labels.get("Confidence Level")
    return Power(
        header=header,
        total_w=total,
        dynamic_w=dynamic,
        static_w=static,
        junction_c=watts("Junction Temperature (C)"),
        confidence=confidence if confidence in {"Low", "Medium", "High"} else None,
        parts={name: value for name, value in parts.items() if name not in {"Total", "Static Power"}},
        warnings=tuple(warnings),
    )
