"""A node that computes many frames: all at once if that gives the same as one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

Context: TypeAlias = dict[str, Any]  # tensors by name
NodeProgram: TypeAlias = Callable[[Context], None]


class BatchedNode:
    """The first frames decide: qonnx's Im2Col mixes frames up, and FINN's Shuffle accepts only one."""

    def __init__(
        self,
        one: NodeProgram,
        many: NodeProgram,
        inputs: Mapping[str, bool],
        outputs: Sequence[str],
        single: Context,
        size: int,
    ) -> None:
        """`one` takes one frame, `many` takes `size` frames; `single` is the context for one, with empty outputs.

        `inputs` states for each tensor whether its first dimension counts frames.
        """
        self._one = one
        self._many = many
        self._inputs = inputs
        self._outputs = outputs
        self._single = single
        self._size = size
        self._at_once: bool | None = None

    def __call__(self, context: Context) -> None:
        """Compute the node's outputs and put them into the context."""
        if self._at_once is None:
            self._at_once = self._agree(context)
        if self._at_once:
            self._many(context)
            return
        import numpy as np

        frames = [self._frame(context, at) for at in range(self._size)]
        for name in self._outputs:
            context[name] = np.concatenate([frame[name] for frame in frames])

    def _frame(self, context: Context, at: int) -> Context:
        """Compute the outputs for one frame."""
        own = dict(self._single)
        for name, has_frames in self._inputs.items():
            own[name] = context[name][at : at + 1] if has_frames else context[name]
        self._one(own)
        return {name: own[name] for name in self._outputs}

    def _agree(self, context: Context) -> bool:
        import numpy as np

        trial = dict(context)
        try:
            self._many(trial)
        except Exception:  # noqa: BLE001 - whatever the reason, frames are then computed one by one
            return False
        for at in {0, self._size - 1}:
            for name, values in self._frame(context, at).items():
                if not np.array_equal(np.asarray(trial[name])[at : at + 1], values):
                    return False
        return True
