"""The entries `exact_rounding` and `exact_rounding_streamlined`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec

from bskernel_executors.finn_step.exact_thresholds import make_rounding_exact, round_thresholds
from bskernel_executors.finn_step.rounding_report import RoundingReport, describe_rounding
from bskernel_executors.finn_step.step_call import run_step
from bskernel_executors.sdk import Input, Output, Registry, Step, parameter


class RoundingParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `exact_rounding`."""

    thresholds: Annotated[
        Literal["exact", "finn"],
        parameter("exact: they round as the network's quantizers do; finn: FINN's own, which round exact halves up"),
    ] = "exact"


def make_exact(step: Step[RoundingParameters]) -> None:
    """Make the thresholds exact and list what changed in the summary."""
    from qonnx.core.modelwrapper import ModelWrapper

    reports: list[RoundingReport] = []

    def change(model: Any, _: Any) -> Any:
        if step.params.thresholds == "finn":
            return model
        changed, report = make_rounding_exact(model, ModelWrapper(str(step.required_input("qonnx"))))
        reports.append(report)
        return changed

    run_step(step, step.entry, change, {})
    for report in reports:
        step.record({"rounding": msgspec.to_builtins(report), "summary": describe_rounding(report)})


def finish_exact(step: Step[msgspec.Struct]) -> None:
    """Give streamlined thresholds the types that FINN expects."""

    def change(model: Any, _: Any) -> Any:
        round_thresholds(model)
        return model

    run_step(step, step.entry, change, {})


def declare_rounding(registry: Registry, inputs: Sequence[Input], outputs: Sequence[Output]) -> None:
    """Declare both entries, with the inputs and outputs of FINN's own steps."""
    registry.entry(
        "exact_rounding",
        summary="make FINN's thresholds round as the network's quantizers do, in every rounding mode",
        parameters=RoundingParameters,
        inputs=(
            *inputs,
            Input("qonnx", kind="file", help="the model that step_qonnx_to_finn took"),
        ),
        outputs=tuple(outputs),
        failure="transform",
    )(make_exact)
    registry.entry(
        "exact_rounding_streamlined",
        summary="turn the thresholds of exact_rounding into whole numbers, or float32 numbers, that decide the same",
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        failure="transform",
    )(finish_exact)
