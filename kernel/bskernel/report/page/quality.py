"""What a build did to its network: accuracy by stage, what is in hardware, what was mended. Pure."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class _StageComparison(msgspec.Struct, frozen=True, kw_only=True):
    stage: str
    frames: int
    mismatches: int
    largest_difference: float | None = None
    expected: bool = False
    causes: dict[str, int] = {}


class StageQuality(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of evaluation.json."""

    stage: str
    executed_by: str = ""
    frames: int = 0
    steps: tuple[str, ...] = ()
    top_1: float | None = None
    k: int | None = None
    top_k: float | None = None
    confusion: tuple[tuple[int, ...], ...] | None = None  # frames: a row per label, a column per prediction
    metric: dict[str, float] = {}
    comparison: _StageComparison | None = None
    not_verified: str | None = None


class _Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    stages: tuple[StageQuality, ...] = ()


class NodePlace(msgspec.Struct, frozen=True, kw_only=True):
    """One node of coverage.json."""

    name: str
    kind: str = ""
    part: str = ""
    macs: int | None = None
    weights: int | None = None
    reason: str | None = None
    remedy: str | None = None


class _PartSize(msgspec.Struct, frozen=True, kw_only=True):
    nodes: int = 0
    macs: int = 0
    weights: int = 0


class CoverageView(msgspec.Struct, frozen=True, kw_only=True):
    """coverage.json: what is in hardware, what stays on the host, and why."""

    frames: int = 1
    nodes: tuple[NodePlace, ...] = ()
    parts: dict[str, _PartSize] = {}

    @property
    def elsewhere(self) -> tuple[NodePlace, ...]:
        """The nodes that are not in hardware."""
        return tuple(node for node in self.nodes if node.part != "hardware")


class MendView(msgspec.Struct, frozen=True, kw_only=True):
    """One change of the user's network before the build."""

    kind: str
    names: tuple[str, ...] = ()
    before: str = ""
    after: str = ""
    reason: str = ""


class AdaptationView(msgspec.Struct, frozen=True, kw_only=True):
    """adaptation.json: what was mended."""

    changes: tuple[MendView, ...] = ()
    compared_frames: int = 0
    not_compared: str | None = None


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """The confusion matrix of the last stage that has one, and which stages have the same."""

    stages: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]

    @property
    def largest(self) -> int:
        """The largest count."""
        return max((count for row in self.rows for count in row), default=0)

    @property
    def mistaken(self) -> tuple[tuple[int, int, int], ...]:
        """(frames, label, prediction) of what is confused most often."""
        wrong = [
            (count, label, predicted)
            for label, row in enumerate(self.rows)
            for predicted, count in enumerate(row)
            if label != predicted and count
        ]
        return tuple(sorted(wrong, key=lambda one: (-one[0], one[1], one[2])))


def read_view(value: Any, view: type[T]) -> T | None:
    """An executor's document as far as the page knows its form; None for another one."""
    try:
        return msgspec.convert(value, view)
    except (msgspec.ValidationError, RecursionError):
        return None


def stages_of(evaluation: Any) -> tuple[StageQuality, ...]:
    """The stages of an evaluation.json."""
    found = read_view(evaluation, _Evaluation) if evaluation is not None else None
    return found.stages if found is not None else ()


def find_confusion(stages: tuple[StageQuality, ...]) -> Confusion | None:
    """The last confusion matrix; None without one."""
    last = next((stage.confusion for stage in reversed(stages) if stage.confusion), None)
    if last is None:
        return None
    return Confusion(stages=tuple(stage.stage for stage in stages if stage.confusion == last), rows=last)
