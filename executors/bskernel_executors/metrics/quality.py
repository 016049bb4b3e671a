"""How far the network's quality comes through the stages: numbers, a table, and where it is lost in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, get_args

import msgspec

from bskernel_executors.metrics.model import BuildMetrics, Stage, Value
from bskernel_executors.metrics.reports import number
from bskernel_executors.quality.evaluation import EVALUATION, Comparison, StageEvaluation

_NOTHING = "-"


def add_accuracy(metrics: BuildMetrics, stages: Sequence[StageEvaluation]) -> BuildMetrics:
    """The metrics with the accuracy of each evaluated stage before what later ones measured."""
    values = tuple(
        Value(
            value=stage.top_1,
            unit="fraction",
            stage=stage.stage,  # type: ignore[arg-type] # it is one of them
            source=f"{EVALUATION}: {stage.label}",
        )
        for stage in stages
        if stage.top_1 is not None and stage.stage in get_args(Stage)
    )
    return msgspec.structs.replace(metrics, accuracy=values + metrics.accuracy)


def quality_rows(stages: Sequence[StageEvaluation]) -> list[dict[str, str]]:
    """Where accuracy is lost, in words; and user's metrics at the last stage."""
    rows = [
        {
            "label": "accuracy drops",
            "value": f"from {before.top_1:.2%} at {before.label} to {now.top_1:.2%} at {now.label}",
            "note": f"by {_steps(now.steps)}" if now.steps else "quantization" if before.stage == "float" else "",
        }
        for before, now in pairwise(stages)
        if before.top_1 is not None and now.top_1 is not None and now.top_1 < before.top_1
    ]
    for stage in stages[-1:]:
        rows += [
            {"label": name, "value": f"{value:.6g}", "note": stage.label} for name, value in stage.metric.items()
        ]
    return rows


def _steps(steps: Sequence[str]) -> str:
    return " or ".join((", ".join(steps[:-1]), steps[-1])) if len(steps) > 1 else steps[0]


def quality_table(stages: Sequence[StageEvaluation], simulation: Mapping[str, Any]) -> dict[str, Any]:
    """A row for each stage, and one for the simulated design; columns that none has anything for are left out."""
    shown = [*stages, *_simulated(simulation)]
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
                _mismatches(stage.comparison),
            ]
        )
    kept = [at for at in range(len(columns)) if any(row[at] != _NOTHING for row in rows)]
    return {
        "title": "quality by stage",
        "columns": [columns[at] for at in kept],
        "rows": [[row[at] for at in kept] for row in rows],
    }


def _simulated(simulation: Mapping[str, Any]) -> list[StageEvaluation]:
    frames, wrong = number(simulation.get("frames")), number(simulation.get("mismatches"))
    if frames is None or wrong is None:
        return []
    comparison = Comparison(
        stage="Python", by="outputs", frames=int(frames), mismatches=int(wrong), largest_difference=0.0
    )
    return [
        StageEvaluation(
            stage="rtlsim",
            executed_by="Verilator",
            frames=int(frames),
            top_1=number(simulation.get("accuracy")),
            comparison=comparison,
        )
    ]


def _percent(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.2%}"


def _drop(before: StageEvaluation | None, now: StageEvaluation) -> str:
    """In percentage points of top-1."""
    if before is None or before.top_1 is None or now.top_1 is None:
        return _NOTHING
    points = 100 * (before.top_1 - now.top_1)
    return f"{points:+.2f} points" if points else "none"


def _mismatches(found: Comparison | None) -> str:
    if found is None:
        return _NOTHING
    text = f"{found.mismatches} of {found.frames}"
    return f"{text} (quantization)" if found.expected and found.mismatches else text
