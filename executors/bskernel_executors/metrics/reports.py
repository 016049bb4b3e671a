"""FINN's report files, read strictly: a damaged one is an error that names it, a missing one is nothing.

File names and keys are those that FINN and FINN+ write under report/.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from bskernel_executors.sdk import StepFailure


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is no number")


def read_report(output: Path, name: str) -> dict[str, Any] | None:
    """A report as a dict, or None when there is none. Raises StepFailure (input) naming a damaged one."""
    path = output / "report" / name
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except (UnicodeDecodeError, ValueError) as error:
        raise StepFailure(category="input", message=f"report/{name} is not readable JSON: {error}") from error
    if not isinstance(data, dict):
        raise StepFailure(category="input", message=f"report/{name} holds a {type(data).__name__}, not an object")
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
)


def read_reports(output: Path) -> dict[str, dict[str, Any]]:
    """All reports that exist, by file name."""
    found = {name: read_report(output, name) for name in REPORTS}
    # FINN+ numbers its power reports by the method of estimation.
    for path in sorted((output / "report").glob("power_estimate_*.json")):
        found[path.name] = read_report(output, path.name)
    return {name: report for name, report in found.items() if report is not None}
