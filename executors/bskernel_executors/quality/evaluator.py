"""Evaluate one stage: execute its network, compare it with labels and with the stage before."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from bskernel_executors.exchange.evaluation import (
    OUTPUTS,
    Evaluation,
    StageComparison,
    StageEvaluation,
    read_evaluation,
    write_evaluation,
)
from bskernel_executors.quality.network import Network
from bskernel_executors.quality.outputs import Outputs, compare_outputs, compute_accuracy, count_confusion
from bskernel_executors.quality.parameters import EvaluateParameters
from bskernel_executors.quality.samples import Samples, fit_frames, read_samples
from bskernel_executors.quality.user_metric import compute_user_metric
from bskernel_executors.sdk import StepFailure

_SHOWN = 300  # characters of a frame's outputs


class _EarlierStage(NamedTuple):
    """The newest stage before this one that has outputs."""

    stage: StageEvaluation
    outputs: Outputs


def evaluate_stage(
    params: EvaluateParameters,
    *,
    model: Path,
    samples: Path,
    before: Path | None,
    host: Path | None,
    source: Path | None,
    by: str,
    out: Path,
) -> list[str]:
    """Write evaluation.json and outputs.npy, of shape (N, values per frame), into `out`; return warnings.

    Raises StepFailure: verification when too many frames differ from the stage before; config; model_load.
    """
    import numpy as np

    given = read_samples(samples)
    earlier = read_evaluation(before).stages if before is not None else ()
    if given.labels is None and params.frames is not None:
        given = given._replace(inputs=given.inputs[: params.frames])
    name = params.stage or "model"
    stage = StageEvaluation(stage=name, steps=params.steps, executed_by=f"{by} {version(by)}", frames=0)
    try:
        outputs, stage = _execute(model, host, given, stage)
    except StepFailure:
        raise
    except Exception as error:
        text = f"the network cannot be executed at stage {stage.label}: {type(error).__name__}: {error}"
        if params.on_mismatch == "fail":
            hint = f'check {_describe_steps(params.steps)}, or set quality.verify = "off"'
            raise StepFailure(message=text, hint=hint) from error
        write_evaluation(Evaluation(stages=earlier), out)
        if before is not None and (before / OUTPUTS).exists():
            shutil.copyfile(before / OUTPUTS, out / OUTPUTS)
        return [text]
    stage = _score(stage, outputs, given, params, source)
    warnings = []
    if before is not None and earlier:
        values, last = np.load(before / OUTPUTS, allow_pickle=False), earlier[-1]
        past = _EarlierStage(last, Outputs(values=values, ranks=last.ranks, scores=last.scores))
        stage, failure = _compare(stage, outputs, past, params)
        if failure is not None and params.on_mismatch == "fail":
            raise failure
        if failure is not None:
            warnings.append(failure.failure.message)
    np.save(out / OUTPUTS, outputs.values)
    write_evaluation(Evaluation(stages=(*earlier, stage)), out)
    return warnings


def _execute(
    model: Path, host: Path | None, given: Samples, stage: StageEvaluation
) -> tuple[Outputs, StageEvaluation]:
    """Execute the network, with the host's head before it and the host's tail after it."""
    body = Network(model)
    parts = [body]
    if host is not None and (host / "head.onnx").exists():
        parts.insert(0, Network(host / "head.onnx", "the host's head"))
    if host is not None and (host / "tail.onnx").exists():
        parts.append(Network(host / "tail.onnx", "the host's tail"))
    outputs = Outputs(values=_fit_layout(given.inputs, parts[0]))
    for part in parts:
        outputs = part.run(outputs.values)
    by = f"onnxruntime {version('onnxruntime')}" if body.is_plain else stage.executed_by
    stage = msgspec.structs.replace(
        stage,
        executed_by=by,
        frames=len(outputs.values),
        ranks=outputs.ranks,
        scores=outputs.scores,
        halves=outputs.halves,
    )
    return outputs, stage


def _fit_layout(inputs: Any, network: Network) -> Any:
    """Fit frames to the network, whose channels a transformation may have moved to the end or the front."""
    frame, taken = tuple(inputs.shape[1:]), network.frame
    if frame != taken and len(frame) == len(taken) == 3:
        for order in ((0, 2, 3, 1), (0, 3, 1, 2)):
            if tuple(inputs.transpose(order).shape[1:]) == taken:
                return fit_frames(inputs.transpose(order), taken, network.datatype, "samples")
    return fit_frames(inputs, taken, network.datatype, "samples")


def _score(
    stage: StageEvaluation, outputs: Outputs, given: Samples, params: EvaluateParameters, source: Path | None
) -> StageEvaluation:
    """Add accuracy, the confusion matrix and the user's metric to the stage."""
    if params.metric is not None:
        metric = compute_user_metric(params.metric, source, outputs.values, given.labels)
        stage = msgspec.structs.replace(stage, metric=metric)
    # One value per frame is not a choice between classes.
    if given.labels is None or outputs.choices == 1:
        return stage
    most = int(given.labels.max())
    choices = outputs.choices
    if choices is not None and most >= choices:
        raise StepFailure(
            category="config",
            message=f"samples: label {most}, but the network has {choices} outputs",
            hint=f"a label is the index of the right output, from 0 to {choices - 1}",
        )
    ranking = outputs.rank(min(params.top_k, outputs.values.shape[1]))
    classes = choices or max(most, int(ranking[:, 0].max())) + 1
    return msgspec.structs.replace(
        stage,
        top_1=compute_accuracy(ranking[:, :1], given.labels),
        k=ranking.shape[1],
        top_k=compute_accuracy(ranking, given.labels),
        confusion=count_confusion(ranking[:, 0], given.labels, classes),
    )


def _compare(
    stage: StageEvaluation, outputs: Outputs, past: _EarlierStage, params: EvaluateParameters
) -> tuple[StageEvaluation, StepFailure | None]:
    """Add the comparison to the stage; return a failure when too many frames differ."""
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
        largest_difference=found.largest,
        first=int(wrong[0]) if len(wrong) else None,
        expected=past.stage.stage == "float",
    )
    stage = msgspec.structs.replace(stage, comparison=comparison)
    if comparison.expected or len(wrong) <= params.allowed_mismatch * count:
        return stage, None
    return stage, _mismatch(stage, comparison, past.stage, params, now, before)


def _describe_steps(steps: tuple[str, ...]) -> str:
    if not steps:
        return "how the model was made"
    return f"step {steps[0]}" if len(steps) == 1 else f"steps {', '.join(steps)}"


def _mismatch(
    stage: StageEvaluation,
    found: StageComparison,
    past: StageEvaluation,
    params: EvaluateParameters,
    now: Outputs,
    before: Outputs,
) -> StepFailure:
    at = found.first or 0
    cause = [
        f"between them: {_describe_steps(params.steps)}",
        f"frame {at} at {found.stage}: {before.values[at].tolist()}"[:_SHOWN],
        f"frame {at} at {stage.label}: {now.values[at].tolist()}"[:_SHOWN],
    ]
    if past.halves > stage.halves:
        cause.append(
            f"in {past.halves} of {past.frames} frames a Quant node of {found.stage} rounds an exact half to even, "
            "but FINN's thresholds round it up: shift the bias by less than a step, or allow the mismatch"
        )
    how = f", by at most {found.largest_difference:.4g}" if found.by == "outputs" else " in their prediction"
    several = len(params.steps) > 1
    hint = 'quality.verify = "steps" finds the step' if several else "replay the step and compare the two models"
    return StepFailure(
        category="verification",
        message=f"stage {stage.label} does not compute what stage {found.stage} does: {found.mismatches} of "
        f"{found.frames} frames differ{how}; the first is frame {at}",
        cause=tuple(cause),
        hint=f'{hint}; to accept a difference, set quality.allowed_mismatch, rtol or on_mismatch = "warn"',
    )
