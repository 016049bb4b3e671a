"""The entry `evaluate`, which every executor declares that can execute models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from bskernel_executors.quality.evaluate import evaluate_stage
from bskernel_executors.quality.evaluation import EVALUATION, OUTPUTS
from bskernel_executors.sdk import Input, Output, Registry, Step, parameter


class EvaluateParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `evaluate`."""

    stage: Annotated[str | None, parameter("what the model's stage is called", default_from="plan.stage")] = None
    steps: Annotated[
        tuple[str, ...],
        parameter("steps that made the model out of the one evaluated before", default_from="plan.transformations"),
    ] = ()
    frames: Annotated[
        int | None,
        parameter(
            "compare the first of them alone; without labels no others are executed",
            unit="frames",
            default_from="quality.frames",
        ),
    ] = None
    top_k: Annotated[
        int, parameter("count also a label among the k largest outputs as right", default_from="quality.top_k")
    ] = 5
    metric: Annotated[
        str | None,
        parameter("module:function(outputs, labels) -> float, in the input source", default_from="quality.metric"),
    ] = None
    rtol: Annotated[
        float, parameter("allowed difference, relative to a frame's largest output", default_from="quality.rtol")
    ] = 1e-4
    atol: Annotated[float, parameter("allowed difference beside rtol", default_from="quality.atol")] = 1e-6
    allowed_mismatch: Annotated[
        float, parameter("fraction of frames that may differ", default_from="quality.allowed_mismatch")
    ] = 0.0
    on_mismatch: Annotated[
        Literal["fail", "warn"],
        parameter("what happens when more frames differ", default_from="quality.on_mismatch"),
    ] = "fail"

    def __post_init__(self) -> None:
        if self.top_k < 1:
            raise ValueError(f"top_k {self.top_k}: 1 or more")
        if self.frames is not None and self.frames < 1:
            raise ValueError(f"frames {self.frames}: 1 or more")
        if not (self.rtol >= 0 and self.atol >= 0):
            raise ValueError(f"rtol {self.rtol}, atol {self.atol}: 0 or more")
        if not 0 <= self.allowed_mismatch <= 1:
            raise ValueError(f"allowed_mismatch {self.allowed_mismatch} is a fraction: from 0 to 1")


INPUTS = (
    Input("model", kind="file"),
    Input("samples", kind="file", help="npz that the step samples writes"),
    Input("evaluation", kind="tree", required=False, help="of the stage before"),
    Input("host", kind="tree", required=False, help="what the host computes before and after the model"),
    Input(
        "source",
        kind="tree",
        required=False,
        source="config",
        default_from="quality.source",
        help="folder with the module of quality.metric",
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
    """Declare it. `by` is the distribution that executes; `refuse` raises StepFailure for models that it cannot."""

    def evaluate(step: Step[EvaluateParameters]) -> None:
        out = step.output("evaluation")
        out.mkdir()
        if refuse is not None:
            refuse(step.required_input("model"))
        warnings = evaluate_stage(
            step.params,
            model=step.required_input("model"),
            samples=step.required_input("samples"),
            before=step.input("evaluation"),
            host=step.input("host"),
            source=step.input("source"),
            by=by,
            out=out,
        )
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
