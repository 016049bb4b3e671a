"""evaluation.json: how each stage of a build was evaluated, and how far it agrees with the stage before."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from bskernel_protocol import FailureCategory, pretty_json

from bskernel_executors.exchange.artifact_file import read_artifact

EVALUATION, OUTPUTS = "evaluation.json", "outputs.npy"


class StageComparison(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stage compared with the stage before it, frame by frame."""

    stage: str  # the stage before
    by: Literal["outputs", "predictions"]  # predictions when one of the two stages gives nothing else
    frames: int  # that were compared
    mismatches: int  # frames
    largest_difference: float  # over all outputs; for predictions 0 or 1
    first: int | None = None  # the first frame that differs
    expected: bool = False  # quantization changes what a network computes
    causes: dict[str, int] = {}  # proven causes of differences: frames by cause
    other_predictions: int = 0  # frames of which an output has its largest value elsewhere
    largest_in_steps: float | None = None  # largest difference in steps of the quantizer that makes the output


class StageEvaluation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One evaluated stage. Without labels it has no accuracy and no confusion matrix."""

    stage: str
    executed_by: str  # program and version
    frames: int
    steps: tuple[str, ...] = ()  # that made this model from the one evaluated before
    ranks: bool = False  # outputs.npy holds indices of the largest values instead of the values
    sizes: tuple[int, ...] = ()  # values of each output, when a frame has several
    top_1: float | None = None  # fraction of frames
    k: int | None = None
    top_k: float | None = None  # fraction of frames
    confusion: tuple[tuple[int, ...], ...] | None = None  # frames: a row per label, a column per prediction
    metric: dict[str, float] = {}  # the user's own, by name
    comparison: StageComparison | None = None
    not_verified: str | None = None  # why the stage could not be executed; it then has no frames

    @property
    def label(self) -> str:
        """The stage, and the step that led to it."""
        return f"{self.stage} ({self.steps[-1]})" if self.steps else self.stage


class Evaluation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All stages so far, in the order in which they were evaluated."""

    stages: tuple[StageEvaluation, ...]


_DECODER = msgspec.json.Decoder(Evaluation)


def read_evaluation(folder: Path, *, category: FailureCategory = "config") -> Evaluation:
    """Read the evaluation in an artifact's folder. Raises StepFailure (`category`)."""
    name = f"evaluation/{EVALUATION}"
    return read_artifact(folder / EVALUATION, _DECODER, name, writer="an entry `evaluate`", category=category)


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write evaluation.json into an existing folder."""
    (folder / EVALUATION).write_text(pretty_json(evaluation), encoding="utf-8")
