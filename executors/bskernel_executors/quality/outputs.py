"""A stage's outputs, compared with labels and with the outputs of another stage. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]
    Labels = NDArray[np.int64]


class Outputs(NamedTuple):
    """A stage's outputs, of shape (N, values per frame). Of several outputs, the first has `scores` values."""

    values: Floats
    ranks: bool = False  # indices of the largest values, the largest first, instead of the values
    scores: int | None = None  # None: all values

    def rank(self, k: int) -> Labels:
        """Return the indices of the k largest scores, shape (N, k), largest first; ties go to the lower index."""
        import numpy as np

        if self.ranks:
            return self.values[:, :k].astype(np.int64)
        scores = self.values[:, : self.scores]
        found: Labels = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return found

    @property
    def choices(self) -> int | None:
        """The number of classes to choose from; None when only ranks are known."""
        return None if self.ranks else self.scores or self.values.shape[1]


class Difference(NamedTuple):
    """How two stages differ, frame by frame."""

    by: Literal["outputs", "predictions"]
    frames: NDArray[np.bool_]  # (N,): true if the frame differs
    largest: float  # absolute difference


def compute_accuracy(ranking: Labels, labels: Labels) -> float:
    """Return the fraction of frames whose label is in their row of `ranking`, of shape (N, k)."""
    return float((ranking == labels[:, None]).any(axis=1).mean())


def count_confusion(predictions: Labels, labels: Labels, classes: int) -> tuple[tuple[int, ...], ...]:
    """Count the frames of each label (row) by their predicted class (column). Both must be below `classes`."""
    import numpy as np

    counts = np.bincount(labels * classes + predictions, minlength=classes * classes)
    return tuple(tuple(int(count) for count in row) for row in counts.reshape(classes, classes))


def compare_outputs(now: Outputs, before: Outputs, rtol: float, atol: float) -> Difference:
    """Find the frames in which two stages differ by more than atol + rtol * the earlier frame's largest value.

    If one stage has ranks only, predictions are compared. Raises ValueError when the shapes differ.
    """
    import numpy as np

    if len(now.values) != len(before.values):
        raise ValueError(f"{len(now.values)} frames and {len(before.values)} frames")
    if now.ranks or before.ranks:
        differs = now.rank(1)[:, 0] != before.rank(1)[:, 0]
        return Difference("predictions", differs, float(differs.any()))
    if now.values.shape != before.values.shape:
        raise ValueError(f"{now.values.shape[1]} and {before.values.shape[1]} values per frame")
    a, b = now.values.astype(np.float64), before.values.astype(np.float64)
    with np.errstate(invalid="ignore"):
        apart = np.abs(a - b)
        within = apart <= atol + rtol * np.abs(b).max(axis=1, keepdims=True)
    same = within | (a == b) | (np.isnan(a) & np.isnan(b))
    finite = apart[np.isfinite(apart)]
    return Difference("outputs", ~same.all(axis=1), float(finite.max()) if finite.size else 0.0)
