"""Evaluate one stage: execute its network, compare it with labels and with the stage before."""

from __future__ import annotations

import shutil
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import msgspec

from bskernel_executors.exchange.evaluation import (
    OUTPUTS,
    Evaluation,
    StageEvaluation,
    read_evaluation,
    write_evaluation,
)
from bskernel_executors.quality.comparison import PastStage, Sources, compare_stages
from bskernel_executors.quality.network import Networks, UnsupportedNetwork, fit_layout, load_networks
from bskernel_executors.quality.outputs import Outputs, compute_accuracy, count_confusion
from bskernel_executors.quality.parameters import EvaluateParameters
from bskernel_executors.quality.samples import Samples, read_samples
from bskernel_executors.quality.user_metric import compute_user_metric
from bskernel_executors.sdk import StepFailure

_SHOWN = 300  # characters of a reason


class StageFiles(NamedTuple):
    """What a stage is evaluated with."""

    model: Path
    samples: Path
    before: Path | None  # evaluation of the stage before
    host: Path | None  # what the host computes before and after the model
    earlier_model: Path | None  # to find the cause of a difference
    source: Path | None  # folder of the user's metric


def evaluate_stage(params: EvaluateParameters, files: StageFiles, *, by: str, out: Path) -> list[str]:
    """Write evaluation.json and outputs.npy, of shape (N, values per frame), into `out`; return warnings.

    A stage that cannot be executed is not verified: that is a warning. Raises StepFailure: verification when frames
    differ from the stage before and the policy does not allow it; config; model_load.
    """
    import numpy as np

    earlier = read_evaluation(files.before).stages if files.before is not None else ()
    stage = StageEvaluation(
        stage=params.stage or "model", steps=params.steps, executed_by=f"{by} {version(by)}", frames=0
    )
    try:
        networks = load_networks(files.model, files.host)
        given = _read_frames(files.samples, params)
        outputs, stage = _execute(networks, given, stage)
    except UnsupportedNetwork as error:
        return _leave_unverified(stage, earlier, error.failure.message, files.before, out)
    except (StepFailure, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - what verification cannot do is no failure of the build
        reason = f"it cannot be executed: {type(error).__name__}: {error}"
        return _leave_unverified(stage, earlier, reason, files.before, out)
    stage = _score(stage, outputs, given, params, files.source)
    warnings: list[str] = []
    last = next((item for item in reversed(earlier) if item.not_verified is None), None)
    if files.before is not None and last is not None:
        values = np.load(files.before / OUTPUTS, allow_pickle=False)
        past = PastStage(last, Outputs(values=values, ranks=last.ranks, sizes=last.sizes))
        stage, warnings = compare_stages(stage, outputs, past, params, Sources(files.earlier_model, networks, given))
    np.save(out / OUTPUTS, outputs.values)
    write_evaluation(Evaluation(stages=(*earlier, stage)), out)
    return warnings


def _read_frames(path: Path, params: EvaluateParameters) -> Samples:
    given = read_samples(path)
    if given.labels is None and params.frames is not None:
        return given._replace(inputs=given.inputs[: params.frames])
    return given


def _leave_unverified(
    stage: StageEvaluation, earlier: tuple[StageEvaluation, ...], reason: str, before: Path | None, out: Path
) -> list[str]:
    """Record that the stage is not verified; the outputs of the stage before stay the ones to compare with."""
    stage = msgspec.structs.replace(stage, not_verified=reason[:_SHOWN])
    write_evaluation(Evaluation(stages=(*earlier, stage)), out)
    if before is not None and (before / OUTPUTS).exists():
        shutil.copyfile(before / OUTPUTS, out / OUTPUTS)
    return [f"stage {stage.label} is NOT VERIFIED: {reason}"]


def _execute(networks: Networks, given: Samples, stage: StageEvaluation) -> tuple[Outputs, StageEvaluation]:
    """Execute the network, with the host's head before it and the host's tail after it."""
    outputs = Outputs(values=fit_layout(given.inputs, networks.parts[0]))
    for part in networks.parts:
        outputs = part.run(outputs.values)
    by = f"onnxruntime {version('onnxruntime')}" if networks.body.is_plain else stage.executed_by
    return outputs, msgspec.structs.replace(
        stage, executed_by=by, frames=len(outputs.values), ranks=outputs.ranks, sizes=outputs.sizes
    )


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
