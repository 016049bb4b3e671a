"""FINN's report files, read strictly: a damaged one is an error that names it, a missing one is nothing.

File names and keys are those that FINN and FINN+ write under report/.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec

from bskernel_executors.sdk import StepFailure
from bskernel_executors.vivado_reports import MADE_BY, read_timing


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is no number")


def read_report(output: Path, name: str) -> dict[str, Any] | None:
    """A report as a dict, or None when there is none. Raises StepFailure (metrics) naming a damaged one."""
    # FINN writes some at the root of its output, FINN+ all under report/.
    path = next((path for path in (output / "report" / name, output / name) if path.is_file()), None)
    if path is None:
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (UnicodeDecodeError, ValueError) as error:
        raise StepFailure(category="metrics", message=f"report/{name} is not readable JSON: {error}") from error
    if not isinstance(data, dict):
        raise StepFailure(category="metrics", message=f"report/{name} holds a {type(data).__name__}, not an object")
    return data


def number(value: object) -> float | None:
    """A finite number, also when written as text; None for anything else."""
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
    "final_hw_config.json",
    "fifo_sizing.json",
    "metadata_builder.json",
    "time_per_step.json",
    "report_experiment_instrumentation.json",
    "report_dma_validate.json",
    MADE_BY,
)
TIMING_REPORT = "post_route_timing.rpt"


def read_reports(output: Path) -> dict[str, dict[str, Any]]:
    """All reports that exist, by file name; of a timing report its summary. Raises StepFailure."""
    found = {name: read_report(output, name) for name in REPORTS}
    # FINN+ names its power reports by the way the activity was found.
    for path in sorted((output / "report").glob("power_estimate_*.json")):
        found[path.name] = read_report(output, path.name)
    path = output / "report" / TIMING_REPORT
    if path.is_file():
        summary = read_timing(path.read_text(encoding="utf-8", errors="replace"))
        if summary is None:
            raise StepFailure(category="metrics", message=f"report/{TIMING_REPORT} has no design timing summary")
        found[TIMING_REPORT] = msgspec.to_builtins(summary)
    return {name: report for name, report in found.items() if report is not None}
