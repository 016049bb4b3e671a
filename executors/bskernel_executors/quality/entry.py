"""The entry `evaluate`, which every executor that can execute models declares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bskernel_protocol import CODE

from bskernel_executors.exchange.evaluation import EVALUATION, OUTPUTS
from bskernel_executors.quality.evaluator import StageFiles, evaluate_stage
from bskernel_executors.quality.parameters import EvaluateParameters
from bskernel_executors.sdk import Input, Output, Registry, Step

INPUTS = (
    Input("model", kind="file", media_type="application/x-onnx"),
    Input("samples", kind="file", help="npz from the entry samples"),
    Input("evaluation", kind="tree", required=False, help="evaluation of the stage before"),
    Input("host", kind="tree", required=False, help="what the host computes before and after the model"),
    Input("earlier_model", kind="file", required=False, help="model of an earlier stage, to explain a difference"),
    Input(
        "source",
        kind="tree",
        required=False,
        source="config",
        default_from="quality.source",
        help="folder with the module of quality.metric",
        media_type=CODE,
    ),
)


def declare_evaluate(
    registry: Registry,
    *,
    stages: tuple[str, ...],
    summary: str,
    by: str,
    refuse: Callable[[Path], None] | None = None,
) -> None:
    """Declare the entry.

    `by` is the distribution that executes models. `refuse` raises StepFailure for a model that it cannot execute.
    """

    def evaluate(step: Step[EvaluateParameters]) -> None:
        out = step.output("evaluation")
        out.mkdir()
        if refuse is not None:
            refuse(step.required_input("model"))
        files = StageFiles(
            model=step.required_input("model"),
            samples=step.required_input("samples"),
            before=step.input("evaluation"),
            host=step.input("host"),
            earlier_model=step.input("earlier_model"),
            source=step.input("source"),
        )
        warnings = evaluate_stage(step.params, files, by=by, out=out)
        rows = [{"label": "warning", "value": text, "note": step.name} for text in warnings]
        step.record({"summary": rows} if rows else {})

    registry.entry(
        "evaluate",
        summary=summary,
        parameters=EvaluateParameters,
        inputs=INPUTS,
        outputs=(Output("evaluation", kind="tree", help=f"{EVALUATION}: all stages so far; {OUTPUTS}"),),
        stage_in=stages,
        failure="transform",
        checks_model=True,
    )(evaluate)
