"""Read FINN's reports strictly: a damaged file is an error that names it, a missing one is skipped.

File names and keys are those that FINN and FINN+ write in the folder report.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import msgspec

from bskernel_executors.exchange.report_makers import MADE_BY, read_makers
from bskernel_executors.sdk import StepFailure
from bskernel_executors.vivado_reports import read_timing


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is not a number")


def read_report(output: Path, name: str) -> dict[str, Any] | None:
    """Read a report; None if it does not exist. Raises StepFailure (metrics) for a damaged one."""
    # FINN writes some reports to the root of its output, FINN+ all to the folder report.
    path = next((path for path in (output / "report" / name, output / name) if path.is_file()), None)
    if path is None:
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (UnicodeDecodeError, ValueError) as error:
        raise StepFailure(category="metrics", message=f"report/{name} is not readable JSON: {error}") from error
    if not isinstance(data, dict):
        raise StepFailure(
            category="metrics", message=f"report/{name} contains a {type(data).__name__}, but must be an object"
        )
    return data


def parse_number(value: object) -> float | None:
    """Return a finite number, which may be written as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except ValueError:
        return None
    return found if math.isfinite(found) else None


REPORTS = (
    "op_and_param_counts.json",
    "estimate_layer_cycles.json",
    "estimate_layer_resources.json",
    "estimate_layer_resources_hls.json",
    "estimate_network_performance.json",
    "rtlsim_performance.json",
    "ooc_synth_and_timing.json",
    "post_synth_resources.json",
    "auto_folding_config.json",
    "applied_folding_config.json",
    "final_hw_config.json",
    "fifo_sizing.json",
    "metadata_builder.json",
    "time_per_step.json",
    "report_experiment_instrumentation.json",
    "report_dma_validate.json",
)
TIMING_REPORT = "post_route_timing.rpt"
_POWER = re.compile(r"power_estimate_.*\.json", re.DOTALL)


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def read_reports(output: Path) -> dict[str, dict[str, Any]]:
    """Read all reports that exist, by file name; of a timing report, its summary. Raises StepFailure (metrics)."""
    names = _names_in(output / "report")
    there = {*names, *_names_in(output)}
    found: dict[str, dict[str, Any] | None] = {name: read_report(output, name) for name in REPORTS if name in there}
    # FINN+ names its power reports after the source of the activity.
    found |= {name: read_report(output, name) for name in names if _POWER.fullmatch(name)}
    found[MADE_BY] = read_makers(output / "report", category="metrics") or None
    path = output / "report" / TIMING_REPORT
    if path.is_file():
        summary = read_timing(path.read_text(encoding="utf-8", errors="replace"))
        if summary is None:
            raise StepFailure(category="metrics", message=f"report/{TIMING_REPORT} has no design timing summary")
        found[TIMING_REPORT] = msgspec.to_builtins(summary)
    return {name: report for name, report in found.items() if report is not None}
