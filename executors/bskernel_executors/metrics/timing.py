"""Vivado's timing summary as text: worst slacks, and whether what was constrained is met.

The table has one head and one row; a path that does not exist is NA or left out, and "met" without a single endpoint
means that nothing was checked.
"""

from __future__ import annotations

import math
import re

import msgspec

_HEAD = re.compile(r"^\s*WNS\(ns\)\s+TNS\(ns\).*$", re.MULTILINE)
_GAP = re.compile(r"\s{2,}")


class TimingSummary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Worst negative and hold slack in ns, failing and checked endpoints; `met` is None when nothing was checked."""

    wns_ns: float | None = None
    whs_ns: float | None = None
    failing_endpoints: int | None = None
    endpoints: int | None = None
    met: bool | None = None


def _number(text: str | None) -> float | None:
    try:
        value = math.nan if text is None else float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _count(text: str | None) -> int | None:
    value = _number(text)
    return None if value is None or value != int(value) else int(value)


def read_timing(text: str) -> TimingSummary | None:
    """The design's timing summary, or None when the text has none."""
    head = _HEAD.search(text)
    if head is None:
        return None
    names = _GAP.split(head.group().strip())
    following = text[head.end() :].splitlines()
    rows = [line for line in following[:4] if line.strip() and not line.strip().startswith("-------")]
    if not rows:
        return None
    values = dict(zip(names, rows[0].split(), strict=False))
    endpoints, failing = _count(values.get("TNS Total Endpoints")), _count(values.get("TNS Failing Endpoints"))
    wns, whs = _number(values.get("WNS(ns)")), _number(values.get("WHS(ns)"))
    slacks = [slack for slack in (wns, whs) if slack is not None]
    return TimingSummary(
        wns_ns=wns,
        whs_ns=whs,
        failing_endpoints=failing,
        endpoints=endpoints,
        met=min(slacks) >= 0 if slacks and endpoints else None,
    )
