"""One stage judged: executed, held to labels, and compared with the stage before it."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from bskernel_executors.quality.evaluation import (
    OUTPUTS,
    Comparison,
    Evaluation,
    StageEvaluation,
    read_evaluation,
    write_evaluation,
)
from bskernel_executors.quality.judging import Outputs, accuracy, confusion, difference
from bskernel_executors.quality.metric import user_metric
from bskernel_executors.quality.network import Network
from bskernel_executors.quality.samples import Samples, fit_frames, read_samples
from bskernel_executors.sdk import StepFailure

if TYPE_CHECKING:
    from bskernel_executors.quality.entry import EvaluateParameters

_SHOWN = 300  # characters of a frame's outputs


class _Before(NamedTuple):
    """The newest stage that gave outputs, and these."""

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
    """Write evaluation.json and outputs.npy (N, values of a frame) into `out`; returns warnings.

    Raises StepFailure: verification when too many frames differ from the stage before, config, model_load.
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
            hint = f'it is not verified any more: look into {_steps(params.steps)}, or set quality.verify = "off"'
            raise StepFailure(message=text, hint=hint) from error
        write_evaluation(Evaluation(stages=earlier), out)
        if before is not None and (before / OUTPUTS).exists():
            shutil.copyfile(before / OUTPUTS, out / OUTPUTS)
        return [text]
    stage = _judged(stage, outputs, given, params, source)
    warnings = []
    if before is not None and earlier:
        values, last = np.load(before / OUTPUTS, allow_pickle=False), earlier[-1]
        past = _Before(last, Outputs(values=values, ranks=last.ranks, scores=last.scores))
        stage, failure = _compared(stage, outputs, past, params)
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
    """The network's outputs, with the host's head before and its tail after it."""
    body = Network(model)
    parts = [body]
    if host is not None and (host / "head.onnx").exists():
        parts.insert(0, Network(host / "head.onnx", "the host's head"))
    if host is not None and (host / "tail.onnx").exists():
        parts.append(Network(host / "tail.onnx", "the host's tail"))
    outputs = Outputs(values=_as_taken(given.inputs, parts[0]))
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


def _as_taken(inputs: Any, network: Network) -> Any:
    """Frames as the network takes them; a transformation may have put the channels last, or first."""
    frame, taken = tuple(inputs.shape[1:]), network.frame
    if frame != taken and len(frame) == len(taken) == 3:
        for order in ((0, 2, 3, 1), (0, 3, 1, 2)):
            if tuple(inputs.transpose(order).shape[1:]) == taken:
                return fit_frames(inputs.transpose(order), taken, network.datatype, "samples")
    return fit_frames(inputs, taken, network.datatype, "samples")


def _judged(
    stage: StageEvaluation, outputs: Outputs, given: Samples, params: EvaluateParameters, source: Path | None
) -> StageEvaluation:
    if params.metric is not None:
        metric = user_metric(params.metric, source, outputs.values, given.labels)
        stage = msgspec.structs.replace(stage, metric=metric)
    # One value of a frame is no choice between classes.
    if given.labels is None or outputs.choices == 1:
        return stage
    most = int(given.labels.max())
    choices = outputs.choices
    if choices is not None and most >= choices:
        raise StepFailure(
            category="config",
            message=f"samples: label {most}, but the network has {choices} outputs",
            hint=f"labels are the place of the right output: from 0 to {choices - 1}",
        )
    ranking = outputs.ranking(min(params.top_k, outputs.values.shape[1]))
    classes = choices or max(most, int(ranking[:, 0].max())) + 1
    return msgspec.structs.replace(
        stage,
        top_1=accuracy(ranking[:, :1], given.labels),
        k=ranking.shape[1],
        top_k=accuracy(ranking, given.labels),
        confusion=confusion(ranking[:, 0], given.labels, classes),
    )


def _compared(
    stage: StageEvaluation, outputs: Outputs, past: _Before, params: EvaluateParameters
) -> tuple[StageEvaluation, StepFailure | None]:
    """The stage with its comparison, and the failure that it is where too many frames differ."""
    import numpy as np

    count = min(len(outputs.values), params.frames or len(outputs.values))
    now, before = (each._replace(values=each.values[:count]) for each in (outputs, past.outputs))
    try:
        found = difference(now, before, params.rtol, params.atol)
    except ValueError as error:
        raise StepFailure(
            category="verification",
            message=f"stage {stage.label} does not give what stage {past.stage.label} gave: {error}",
            hint=f"look into {_steps(params.steps)}",
        ) from error
    wrong = np.flatnonzero(found.frames)
    comparison = Comparison(
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


def _steps(steps: tuple[str, ...]) -> str:
    if not steps:
        return "how the model was made"
    return f"step {steps[0]}" if len(steps) == 1 else f"steps {', '.join(steps)}"


def _mismatch(
    stage: StageEvaluation,
    found: Comparison,
    past: StageEvaluation,
    params: EvaluateParameters,
    now: Outputs,
    before: Outputs,
) -> StepFailure:
    at = found.first or 0
    cause = [
        f"between them: {_steps(params.steps)}",
        f"frame {at} at {found.stage}: {before.values[at].tolist()}"[:_SHOWN],
        f"frame {at} at {stage.label}: {now.values[at].tolist()}"[:_SHOWN],
    ]
    if past.halves > stage.halves:
        cause.append(
            f"in {past.halves} of {past.frames} frames a Quant node of {found.stage} rounds an exact half to even, "
            "and the thresholds that FINN makes of it round up: shift the bias by less than a step, or allow it"
        )
    how = f", by {found.largest_difference:.4g} at most" if found.by == "outputs" else " in what they choose"
    several = len(params.steps) > 1
    hint = 'quality.verify = "steps" names the one' if several else "replay it, and compare the two models"
    return StepFailure(
        category="verification",
        message=f"stage {stage.label} does not compute what stage {found.stage} does: {found.mismatches} of "
        f"{found.frames} frames differ{how}; the first is frame {at}",
        cause=tuple(cause),
        hint=f'{hint}; what is meant to differ may: quality.allowed_mismatch, rtol, on_mismatch = "warn"',
    )
