"""Show the network's quality at each stage: accuracy in the metrics, a table, and where accuracy drops. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, get_args

import msgspec

from bskernel_executors.exchange.evaluation import EVALUATION, StageComparison, StageEvaluation
from bskernel_executors.exchange.simulation import Simulation
from bskernel_executors.metrics.model import BuildMetrics, Stage, Value

_NOTHING = "-"


def add_accuracy(metrics: BuildMetrics, stages: Sequence[StageEvaluation]) -> BuildMetrics:
    """Return the metrics with the accuracy of each evaluated stage, before what later stages measured."""
    values = tuple(
        Value(
            value=stage.top_1,
            unit="fraction",
            stage=stage.stage,  # type: ignore[arg-type] # checked below
            source=f"{EVALUATION}: {stage.label}",
        )
        for stage in stages
        if stage.top_1 is not None and stage.stage in get_args(Stage)
    )
    return msgspec.structs.replace(metrics, accuracy=values + metrics.accuracy)


def make_quality_rows(stages: Sequence[StageEvaluation]) -> list[dict[str, str]]:
    """Make rows of the summary: where accuracy drops, and the user's metric at the last stage."""
    rows = [
        {
            "label": "accuracy drops",
            "value": f"from {before.top_1:.2%} at {before.label} to {now.top_1:.2%} at {now.label}",
            "note": f"by {_steps(now.steps)}" if now.steps else "quantization" if before.stage == "float" else "",
        }
        for before, now in pairwise(stages)
        if before.top_1 is not None and now.top_1 is not None and now.top_1 < before.top_1
    ]
    rows += [
        {"label": "not verified", "value": f"stage {stage.label}", "note": stage.not_verified}
        for stage in stages
        if stage.not_verified is not None
    ]
    for stage in stages[-1:]:
        rows += [
            {"label": name, "value": f"{value:.6g}", "note": stage.label} for name, value in stage.metric.items()
        ]
    return rows


def _steps(steps: Sequence[str]) -> str:
    return " or ".join((", ".join(steps[:-1]), steps[-1])) if len(steps) > 1 else steps[0]


def make_quality_table(stages: Sequence[StageEvaluation], simulation: Simulation | None) -> dict[str, Any]:
    """Make a table with a row per stage and one for the simulated design. Empty columns are left out."""
    shown = [*stages, *_evaluate_simulation(simulation)]
    several = len({stage.stage for stage in shown}) < len(shown)
    k = max((stage.k for stage in shown if stage.k is not None), default=0)
    names = list(dict.fromkeys(name for stage in shown for name in stage.metric))
    columns = ["stage", "executed by", "frames", "top-1", f"top-{k}", *names, "drop", "mismatching frames"]
    rows = []
    for before, stage in zip([None, *shown], shown, strict=False):
        rows.append(
            [
                stage.label if several else stage.stage,
                stage.executed_by,
                str(stage.frames),
                _percent(stage.top_1),
                _percent(stage.top_k if stage.k == k else None),
                *(f"{stage.metric[name]:.6g}" if name in stage.metric else _NOTHING for name in names),
                _drop(before, stage),
                _mismatches(stage),
            ]
        )
    kept = [at for at in range(len(columns)) if any(row[at] != _NOTHING for row in rows)]
    return {
        "title": "quality by stage",
        "columns": [columns[at] for at in kept],
        "rows": [[row[at] for at in kept] for row in rows],
    }


def _evaluate_simulation(simulation: Simulation | None) -> list[StageEvaluation]:
    """Return the simulated design as a stage, if there was a simulation."""
    if simulation is None:
        return []
    comparison = StageComparison(
        stage="Python",
        by="outputs",
        frames=simulation.frames,
        mismatches=simulation.mismatches,
        largest_difference=0.0,
    )
    return [
        StageEvaluation(
            stage="rtlsim",
            executed_by="Verilator",
            frames=simulation.frames,
            top_1=simulation.accuracy,
            comparison=comparison,
        )
    ]


def _percent(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2%}"


def _drop(before: StageEvaluation | None, now: StageEvaluation) -> str:
    """Format the drop of top-1 in percentage points."""
    if before is None or before.top_1 is None or now.top_1 is None:
        return _NOTHING
    points = 100 * (before.top_1 - now.top_1)
    return f"{points:+.2f} points" if points else "none"


def _mismatches(stage: StageEvaluation) -> str:
    if stage.not_verified is not None:
        return "NOT VERIFIED"
    found = stage.comparison
    if found is None:
        return _NOTHING
    text = f"{found.mismatches} of {found.frames}"
    return f"{text} (quantization)" if found.expected and found.mismatches else text
