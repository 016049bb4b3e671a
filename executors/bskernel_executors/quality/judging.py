"""Outputs against labels, and against another stage's. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]
    Labels = NDArray[np.int64]


class Outputs(NamedTuple):
    """What a stage gave: (N, values of a frame). Of several outputs the first is `scores` wide."""

    values: Floats
    ranks: bool = False  # places of the largest values, the largest first, instead of the values
    scores: int | None = None  # all when None
    halves: int = 0  # frames in which a quantizer rounded an exact half to the even neighbour

    def ranking(self, k: int) -> Labels:
        """The places of the k largest scores, (N, k), the largest first; of equal ones the first is the larger."""
        import numpy as np

        if self.ranks:
            return self.values[:, :k].astype(np.int64)
        scores = self.values[:, : self.scores]
        found: Labels = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return found

    @property
    def choices(self) -> int | None:
        """How many places there are to choose from; None where only ranks are known."""
        return None if self.ranks else self.scores or self.values.shape[1]


class Difference(NamedTuple):
    """How two stages differ."""

    by: Literal["outputs", "predictions"]
    frames: NDArray[np.bool_]  # which differ
    largest: float


def accuracy(ranking: Labels, labels: Labels) -> float:
    """The fraction of frames whose label is in their row of the ranking."""
    return float((ranking == labels[:, None]).any(axis=1).mean())


def confusion(predictions: Labels, labels: Labels, classes: int) -> tuple[tuple[int, ...], ...]:
    """How many frames of each label (row) were taken for each class (column); both are below `classes`."""
    import numpy as np

    counts = np.bincount(labels * classes + predictions, minlength=classes * classes)
    return tuple(tuple(int(count) for count in row) for row in counts.reshape(classes, classes))


def difference(now: Outputs, before: Outputs, rtol: float, atol: float) -> Difference:
    """Where two stages of one network differ by more than atol + rtol times the largest value of the earlier's frame.

    Only predictions are compared where one of them gives nothing else. Raises ValueError when the numbers of frames
    or values differ.
    """
    import numpy as np

    if len(now.values) != len(before.values):
        raise ValueError(f"{len(now.values)} frames and {len(before.values)}")
    if now.ranks or before.ranks:
        differs = now.ranking(1)[:, 0] != before.ranking(1)[:, 0]
        return Difference("predictions", differs, float(differs.any()))
    if now.values.shape != before.values.shape:
        raise ValueError(f"{now.values.shape[1]} values of a frame and {before.values.shape[1]}")
    a, b = now.values.astype(np.float64), before.values.astype(np.float64)
    with np.errstate(invalid="ignore"):
        apart = np.abs(a - b)
        within = apart <= atol + rtol * np.abs(b).max(axis=1, keepdims=True)
    same = within | (a == b) | (np.isnan(a) & np.isnan(b))
    finite = apart[np.isfinite(apart)]
    return Difference("outputs", ~same.all(axis=1), float(finite.max()) if finite.size else 0.0)
