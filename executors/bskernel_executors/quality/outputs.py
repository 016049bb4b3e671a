"""A stage's outputs, compared with labels and with the outputs of another stage. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]
    Labels = NDArray[np.int64]


class Outputs(NamedTuple):
    """A stage's outputs, of shape (N, values per frame): of several, one after the other, `sizes` columns each."""

    values: Floats
    ranks: bool = False  # indices of the largest values, the largest first, instead of the values
    sizes: tuple[int, ...] = ()  # empty for one output

    def split(self) -> list[Floats]:
        """Return each output, of shape (N, its values)."""
        import numpy as np

        return np.split(self.values, np.cumsum(self.sizes)[:-1], axis=1) if self.sizes else [self.values]

    def rank(self, k: int) -> Labels:
        """Return the first output's k largest as indices, shape (N, k), largest first; ties go to the lower index."""
        return self.values[:, :k].astype("int64") if self.ranks else _rank(self.split()[0], k)

    def choose(self) -> Labels:
        """Return the index of each output's largest value, shape (N, outputs)."""
        import numpy as np

        return self.rank(1) if self.ranks else np.concatenate([_rank(part, 1) for part in self.split()], axis=1)

    @property
    def choices(self) -> int | None:
        """The number of classes to choose from; None when only ranks are known."""
        return None if self.ranks else self.split()[0].shape[1]


def _rank(scores: Floats, k: int) -> Labels:
    import numpy as np

    found: Labels = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return found


class Difference(NamedTuple):
    """How two stages differ, frame by frame."""

    by: Literal["outputs", "predictions"]
    frames: NDArray[np.bool_]  # (N,): true if the frame differs
    largest: tuple[float, ...]  # absolute difference of each output


def compute_accuracy(ranking: Labels, labels: Labels) -> float:
    """Return the fraction of frames whose label is in their row of `ranking`, of shape (N, k)."""
    return float((ranking == labels[:, None]).any(axis=1).mean())


def count_confusion(predictions: Labels, labels: Labels, classes: int) -> tuple[tuple[int, ...], ...]:
    """Count the frames of each label (row) by their predicted class (column). Both must be below `classes`."""
    import numpy as np

    counts = np.bincount(labels * classes + predictions, minlength=classes * classes)
    return tuple(tuple(int(count) for count in row) for row in counts.reshape(classes, classes))


def compare_outputs(now: Outputs, before: Outputs, rtol: float, atol: float) -> Difference:
    """Find the frames in which an output differs by more than atol + rtol * its largest value in the earlier stage.

    If one stage has ranks only, predictions are compared. Raises ValueError when the shapes differ.
    """
    import numpy as np

    if len(now.values) != len(before.values):
        raise ValueError(f"{len(now.values)} frames and {len(before.values)} frames")
    if now.ranks or before.ranks:
        differs = now.rank(1)[:, 0] != before.rank(1)[:, 0]
        return Difference("predictions", differs, (float(differs.any()),))
    if [part.shape for part in now.split()] != [part.shape for part in before.split()]:
        ours, theirs = (" + ".join(str(part.shape[1]) for part in item.split()) for item in (now, before))
        raise ValueError(f"{ours} and {theirs} values per frame")
    parts = zip(now.split(), before.split(), strict=True)
    found = [_compare(a.astype(np.float64), b.astype(np.float64), rtol, atol) for a, b in parts]
    return Difference(
        "outputs", np.any([frames for frames, _ in found], axis=0), tuple(largest for _, largest in found)
    )


def _compare(now: Floats, before: Floats, rtol: float, atol: float) -> tuple[NDArray[np.bool_], float]:
    """Return the frames in which one output differs, and its largest finite difference."""
    import numpy as np

    with np.errstate(invalid="ignore"):
        apart = np.abs(now - before)
        within = apart <= atol + rtol * np.abs(before).max(axis=1, keepdims=True, initial=0)
    same = within | (now == before) | (np.isnan(now) & np.isnan(before))
    finite = apart[np.isfinite(apart)]
    return ~same.all(axis=1), float(finite.max()) if finite.size else 0.0
