"""Compare a stage with the one before, find causes of a difference, and decide whether the build goes on."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from bskernel_executors.exchange.evaluation import StageComparison, StageEvaluation
from bskernel_executors.quality.causes import SUMS, Stages, find_causes, find_first_difference, find_output_steps
from bskernel_executors.quality.network import Network, Networks, fit_layout
from bskernel_executors.quality.outputs import Difference, Outputs, compare_outputs
from bskernel_executors.quality.parameters import EvaluateParameters
from bskernel_executors.quality.samples import Samples
from bskernel_executors.sdk import StepFailure

_SHOWN = 300  # characters of a frame's outputs
_STEP = 1.01  # of a quantizer, with rounding errors


class PastStage(NamedTuple):
    """The newest stage before this one that has outputs."""

    stage: StageEvaluation
    outputs: Outputs


class Sources(NamedTuple):
    """What a difference can be explained with."""

    earlier_model: Path | None
    networks: Networks
    given: Samples


def compare_stages(
    stage: StageEvaluation, outputs: Outputs, past: PastStage, params: EvaluateParameters, sources: Sources
) -> tuple[StageEvaluation, list[str]]:
    """Add the comparison to the stage; return warnings. Raises StepFailure (verification)."""
    import numpy as np

    count = min(len(outputs.values), params.frames or len(outputs.values))
    now, before = (each._replace(values=each.values[:count]) for each in (outputs, past.outputs))
    try:
        found = compare_outputs(now, before, params.rtol, params.atol)
    except ValueError as error:
        raise StepFailure(
            category="verification",
            message=f"the outputs of stage {stage.label} and of stage {past.stage.label} differ in size: {error}",
            hint=f"check {_describe_steps(params.steps)}",
        ) from error
    wrong = np.flatnonzero(found.frames)
    comparison = StageComparison(
        stage=past.stage.label,
        by=found.by,
        frames=count,
        mismatches=len(wrong),
        largest_difference=max(found.largest),
        first=int(wrong[0]) if len(wrong) else None,
        expected=past.stage.stage == "float",
    )
    if comparison.expected or not len(wrong):
        return msgspec.structs.replace(stage, comparison=comparison), []
    comparison, first, explained = _explain(comparison, found, now, before, params, sources)
    stage = msgspec.structs.replace(stage, comparison=comparison)
    if len(wrong) <= params.allowed_mismatch * count:
        return stage, []
    failure = _describe_mismatch(stage, comparison, params, now, before, first)
    bounded = params.on_mismatch == "bounded" and explained and _is_bounded(comparison, sources.given)
    if bounded or params.on_mismatch == "warn":
        return stage, [f"{failure.failure.message}; {_describe_causes(comparison)}"]
    raise failure


def _explain(
    comparison: StageComparison,
    found: Difference,
    now: Outputs,
    before: Outputs,
    params: EvaluateParameters,
    sources: Sources,
) -> tuple[StageComparison, str | None, bool]:
    """Add proven causes and bounds; also return where the first unexplained frame goes wrong, and if none does."""
    import numpy as np

    wrong = np.flatnonzero(found.frames)
    others = int((now.choose() != before.choose())[wrong].any(axis=1).sum()) if now.values.size else 0
    comparison = msgspec.structs.replace(comparison, other_predictions=others)
    if sources.earlier_model is None:
        return comparison, None, False
    try:
        earlier = Network(sources.earlier_model)
        inputs = fit_layout(sources.given.inputs[wrong], earlier)
    except StepFailure:
        return comparison, None, False
    is_whole = len(sources.networks.parts) == 1
    stages = Stages(
        earlier,
        sources.networks.body,
        inputs,
        fit_layout(sources.given.inputs[wrong], sources.networks.body) if is_whole else None,
        before._replace(values=before.values[wrong]),
        now._replace(values=now.values[wrong]),
    )
    open_frames, causes = np.ones(len(wrong), dtype=bool), {}
    for cause, agrees in find_causes(stages, params.rtol, params.atol):
        if count := int((agrees & open_frames).sum()):
            causes[cause] = count
        open_frames &= ~agrees
        if not open_frames.any():
            break
    comparison = msgspec.structs.replace(
        comparison, causes=causes, largest_in_steps=_count_steps(found.largest, find_output_steps(earlier))
    )
    if not open_frames.any():
        return comparison, None, True
    return comparison, find_first_difference(stages, int(np.flatnonzero(open_frames)[0]), params.rtol), False


def _count_steps(largest: tuple[float, ...], steps: list[float | None]) -> float | None:
    """Return the largest difference in steps of its output's quantizer; None if an output that differs has none."""
    pairs = [(apart, step) for apart, step in zip(largest, steps, strict=True) if apart > 0]
    counts = [apart / step for apart, step in pairs if step]
    return max(counts, default=None) if len(counts) == len(pairs) else None


def _is_bounded(found: StageComparison, given: Samples) -> bool:
    """Whether no output is off by more than a step of its quantizer, and no prediction changes.

    Without labels, outputs that have a quantizer need not be scores of classes: their step alone decides.
    """
    if found.largest_in_steps is not None and given.labels is None:
        return found.largest_in_steps <= _STEP
    return found.other_predictions == 0 and (found.largest_in_steps or 0.0) <= _STEP


def _describe_steps(steps: tuple[str, ...]) -> str:
    if not steps:
        return "how the model was made"
    return f"step {steps[0]}" if len(steps) == 1 else f"steps {', '.join(steps)}"


def _describe_causes(found: StageComparison) -> str:
    """Describe proven causes and bounds in one line."""
    rest = found.mismatches - sum(found.causes.values())
    parts = [f"in {count}: {cause}" for cause, count in found.causes.items()]
    parts += [f"in {rest}: the cause is unknown"] if rest else []
    if found.largest_in_steps is not None:
        parts.append(f"the largest difference is {found.largest_in_steps:.3g} steps of the output's quantizer")
    parts.append(f"the largest output is another in {found.other_predictions}")
    return "; ".join(parts)


def _describe_mismatch(
    stage: StageEvaluation,
    found: StageComparison,
    params: EvaluateParameters,
    now: Outputs,
    before: Outputs,
    first: str | None,
) -> StepFailure:
    at = found.first or 0
    cause = [
        f"between them: {_describe_steps(params.steps)}",
        f"frame {at} at {found.stage}: {before.values[at].tolist()}"[:_SHOWN],
        f"frame {at} at {stage.label}: {now.values[at].tolist()}"[:_SHOWN],
        f"of these frames, {_describe_causes(found)}",
    ]
    if first is not None:
        cause.append(first)
    how = f", by at most {found.largest_difference:.4g}" if found.by == "outputs" else " in their prediction"
    return StepFailure(
        category="verification",
        message=f"stage {stage.label} does not compute what stage {found.stage} does: {found.mismatches} of "
        f"{found.frames} frames differ{how}; the first is frame {at}",
        cause=tuple(cause),
        hint=f"{find_hint(found, params.steps)}; to accept a difference, set quality.allowed_mismatch, rtol or "
        'on_mismatch = "warn"',
    )


def find_hint(found: StageComparison, steps: tuple[str, ...]) -> str:
    """Say where to look for the reason of a difference between stages; `steps` lie between them."""
    if sum(found.causes.values()) == found.mismatches and SUMS in found.causes:
        return "no step is wrong: float32 itself decides these frames; its sums are exact if scales are powers of two"
    if len(steps) > 1:
        return 'quality.verify = "steps" finds the step'
    return "replay the step and compare the two models"
