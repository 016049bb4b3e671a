"""Read `report_timing_summary`: the worst slacks, and whether the constraints are met.

The table has one head and one row. A path that does not exist is NA or missing. Without a single endpoint nothing was
checked, even if the sentence below the table says that timing is met.
"""

from __future__ import annotations

import re

import msgspec

from bskernel_executors.vivado_reports.header import ReportHeader, read_header
from bskernel_executors.vivado_reports.numbers import parse_count, parse_decimal

_HEAD = re.compile(r"^ *WNS\(ns\) +TNS\(ns\).*$")
_CLOCK_HEAD = re.compile(r"^Clock +Waveform\(ns\) +Period\(ns\) +Frequency\(MHz\) *$")
_CLOCK = re.compile(r"^ *(\S+) +\{[^}]*\} +(\d+\.\d+) +(\d+\.\d+) *$")
_SENTENCES = {"All user specified timing constraints are met.": True, "Timing constraints are not met.": False}
_GAP = re.compile(r"\s{2,}")


class Clock(msgspec.Struct, frozen=True, kw_only=True):
    """A clock of the design."""

    name: str
    period_ns: float


class TimingSummary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Slacks in ns (setup, hold, pulse width) and endpoints. `met` is None when nothing was checked."""

    wns_ns: float | None = None
    tns_ns: float | None = None
    whs_ns: float | None = None
    ths_ns: float | None = None
    wpws_ns: float | None = None
    failing_endpoints: int | None = None
    endpoints: int | None = None
    met: bool | None = None
    clocks: tuple[Clock, ...] = ()
    header: ReportHeader | None = None
    warnings: tuple[str, ...] = ()

    @property
    def fmax_mhz(self) -> float | None:
        """The highest clock that the worst setup slack allows: 1000 / (period - WNS). None without a single clock."""
        if self.wns_ns is None or len(self.clocks) != 1 or self.clocks[0].period_ns <= self.wns_ns:
            return None
        return 1e3 / (self.clocks[0].period_ns - self.wns_ns)


def _below(lines: list[str], at: int) -> list[str]:
    """Return the lines below the head of a table, up to the first blank one."""
    rows: list[str] = []
    for line in lines[at + 1 :]:
        if set(line) <= {" ", "-"} and line.strip():
            continue
        if not line.strip():
            break
        rows.append(line)
    return rows


def _clocks(lines: list[str]) -> tuple[Clock, ...]:
    at = next((number for number, line in enumerate(lines) if _CLOCK_HEAD.match(line)), None)
    found: dict[str, Clock] = {}
    for line in _below(lines, at) if at is not None else ():
        match = _CLOCK.match(line)
        if match is None:
            continue
        period, frequency = float(match.group(2)), float(match.group(3))
        if period > 0 and abs(1e3 / period - frequency) <= 0.0006 + 1e3 / period * 0.0006 / period:
            found[match.group(1)] = Clock(name=match.group(1), period_ns=period)
    return tuple(found.values())


def _is_consistent(total: float | None, worst: float | None, failing: int | None) -> bool:
    """Return whether total slack, worst slack and the number of failing endpoints are consistent."""
    if total is None or worst is None or failing is None:
        return True
    if worst >= 0:
        return total == 0 and failing == 0
    return failing > 0 and total <= worst + 1e-9


def read_timing(text: str) -> TimingSummary | None:
    """Read the design's timing summary; None when the text has none."""
    lines = text.splitlines()
    at = next((number for number, line in enumerate(lines) if _HEAD.match(line)), None)
    rows = _below(lines, at) if at is not None else []
    if at is None or not rows:
        return None
    names, cells = _GAP.split(lines[at].strip()), rows[0].split()
    header = read_header(text)
    warnings = list(header.check_version("timing")) if header != ReportHeader() else []
    values = dict(zip(names, cells, strict=True)) if len(names) == len(cells) else {}
    if not values:
        warnings.append("the row of the timing summary does not fit its head")
    endpoints, failing = (
        parse_count(values.get("TNS Total Endpoints")),
        parse_count(values.get("TNS Failing Endpoints")),
    )
    wns, whs, wpws = (parse_decimal(values.get(f"{name}(ns)")) for name in ("WNS", "WHS", "WPWS"))
    tns, ths = parse_decimal(values.get("TNS(ns)")), parse_decimal(values.get("THS(ns)"))
    slacks = [slack for slack in (wns, whs, wpws) if slack is not None]
    met = min(slacks) >= 0 if slacks and endpoints else None
    verdicts = {_SENTENCES[line.strip()] for line in lines if line.strip() in _SENTENCES}
    consistent = _is_consistent(tns, wns, failing) and _is_consistent(
        ths, whs, parse_count(values.get("THS Failing Endpoints"))
    )
    if not consistent or (met is not None and verdicts and verdicts != {met}):
        warnings.append("the timing summary contradicts itself")
        wns = whs = wpws = tns = ths = endpoints = failing = met = None
    return TimingSummary(
        wns_ns=wns,
        tns_ns=tns,
        whs_ns=whs,
        ths_ns=ths,
        wpws_ns=wpws,
        failing_endpoints=failing,
        endpoints=endpoints,
        met=met,
        clocks=_clocks(lines),
        header=header if header != ReportHeader() else None,
        warnings=tuple(warnings),
    )
