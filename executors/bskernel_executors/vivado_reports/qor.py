"""Read `report_design_analysis -qor_summary -json`: the slacks and the duration of each task of a run."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from bskernel_executors.exchange.synthesis import QorTask
from bskernel_executors.vivado_reports.header import ReportHeader, parse_tool
from bskernel_executors.vivado_reports.numbers import parse_decimal

_NUMBERS = {
    "WNS(ns)": "wns_ns",
    "TNS(ns)": "tns_ns",
    "WHS(ns)": "whs_ns",
    "THS(ns)": "ths_ns",
    "Runtime(mins)": "minutes",
}


class Qor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The tasks in order."""

    header: ReportHeader
    tasks: tuple[QorTask, ...] = ()
    warnings: tuple[str, ...] = ()


def _text(row: dict[str, Any], key: str) -> str | None:
    value = row.get(key)
    text = str(value).strip() if isinstance(value, str | int | float) and not isinstance(value, bool) else ""
    return text if text not in {"", "-", "NA"} else None


def read_qor(text: str) -> Qor:
    """Read the report. Incomplete JSON has no tasks."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Qor(header=ReportHeader(), warnings=(f"the QoR report is not complete JSON: {error}",))
    head = data.get("Report Information") if isinstance(data, dict) else None
    rows = data.get("Design QoR Summary") if isinstance(data, dict) else None
    fields = head if isinstance(head, dict) else {}
    tool, version, build = parse_tool(_text(fields, "Tool Version") or "")
    header = ReportHeader(tool=tool, version=version, build=build, state=_text(fields, "Design State"))
    tasks = []
    for row in rows if isinstance(rows, list) else ():
        name = _text(row, "Task Name") if isinstance(row, dict) else None
        if name is not None:
            numbers = {ours: parse_decimal(_text(row, theirs)) for theirs, ours in _NUMBERS.items()}
            tasks.append(QorTask(task=name, directive=_text(row, "Directives"), **numbers))
    warnings = header.check_version("QoR") + (() if tasks else ("no task was found in the QoR report",))
    return Qor(header=header, tasks=tuple(tasks), warnings=warnings)
