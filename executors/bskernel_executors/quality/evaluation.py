"""The types of evaluation.json: how each stage of a build judged the network, and how far it agrees with the last."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from bskernel_protocol import pretty_json

from bskernel_executors.sdk import StepFailure

EVALUATION, OUTPUTS = "evaluation.json", "outputs.npy"


class Comparison(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stage beside the one before it, frame by frame."""

    stage: str  # the one before
    by: Literal["outputs", "predictions"]  # predictions where one of the two gives nothing else
    frames: int
    mismatches: int  # frames
    largest_difference: float  # of outputs that differ or not; of predictions it is 0 or 1
    first: int | None = None  # the first frame that differs
    expected: bool = False  # quantization changes what a network computes


class StageEvaluation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One stage. What needs labels is absent without them."""

    stage: str
    executed_by: str  # a program with its version
    frames: int
    steps: tuple[str, ...] = ()  # that made this model out of the one judged before
    ranks: bool = False  # outputs.npy holds places of the largest values, not the values
    scores: int | None = None  # how many of a frame's values are of the first output, where there are others
    top_1: float | None = None  # fraction of frames
    k: int | None = None
    top_k: float | None = None  # fraction of frames
    confusion: tuple[tuple[int, ...], ...] | None = None  # frames: a row for each label, a column for each prediction
    halves: int = 0  # frames in which a quantizer rounds an exact half to the even neighbour
    metric: dict[str, float] = {}  # the user's own, by its name
    comparison: Comparison | None = None

    @property
    def label(self) -> str:
        """The stage, and the step that led to it."""
        return f"{self.stage} ({self.steps[-1]})" if self.steps else self.stage


class Evaluation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """evaluation.json: all stages so far, in the order in which they were judged."""

    stages: tuple[StageEvaluation, ...]


_evaluations = msgspec.json.Decoder(Evaluation)  # made in the server, not in each step


def read_evaluation(folder: Path) -> Evaluation:
    """The evaluation in an artifact's folder. Raises StepFailure (config)."""
    path = folder / EVALUATION
    try:
        return _evaluations.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise StepFailure(
            category="config", message=f"evaluation/{EVALUATION} is not what an evaluate step writes: {error}"
        ) from error


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write evaluation.json into a folder that exists."""
    (folder / EVALUATION).write_text(pretty_json(evaluation), encoding="utf-8")
