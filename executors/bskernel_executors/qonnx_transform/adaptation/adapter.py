"""Mend a user's model: refuse what no mend can help, run the mends in order, collect what they changed."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Collection
from typing import Any

from bskernel_executors.exchange.adaptation import Adaptation, Change
from bskernel_executors.qonnx_transform.adaptation.batch import require_known_sizes, set_input_size
from bskernel_executors.qonnx_transform.adaptation.comparison import NotExecutable, count_differing
from bskernel_executors.qonnx_transform.adaptation.input_datatype import annotate_input
from bskernel_executors.qonnx_transform.adaptation.mends import MENDS, Mend
from bskernel_executors.qonnx_transform.adaptation.refusals import refuse_unsupported
from bskernel_executors.sdk import StepFailure

_SHOWN = 3


def adapt_model(
    model: Any,
    *,
    skip: Collection[str] = (),
    input_size: tuple[int, ...] | None = None,
    input_datatype: str | None = None,
) -> Adaptation:
    """Mend an onnx.ModelProto in place. Its first input gets the shape `input_size` and the type `input_datatype`.

    Raises StepFailure (model_load) for what cannot be mended, and rather than change what the network computes.
    """
    refuse_unsupported(model)
    changes = [] if input_size is None else set_input_size(model, input_size)
    require_known_sizes(model)
    if input_datatype is not None:
        changes += annotate_input(model, input_datatype)
    compared = 0
    for mend in MENDS:
        if mend.name in skip:
            continue
        before = copy.deepcopy(model) if mend.compared else None
        made = mend.function(model)
        changes += made
        if made and before is not None:
            compared += _compare(mend, made, before, model)
    return Adaptation(
        changes=tuple(changes),
        skipped=tuple(mend.name for mend in MENDS if mend.name in skip),
        compared_frames=compared,
    )


def _compare(mend: Mend, made: list[Change], before: Any, after: Any) -> int:
    """Return how many frames agree. Raises StepFailure (model_load) if any differs."""
    try:
        differing, frames = count_differing(before, after)
    except NotExecutable:
        return 0  # the model fails as it would have failed, at the step that executes it
    if differing:
        names = list(dict.fromkeys(name for change in made for name in change.names))
        raise StepFailure(
            category="model_load",
            message=f"{made[0].before} cannot become {made[0].after} without changing what the network computes: "
            f"{differing} of {frames} drawn frames differ ({_shorten(names)})",
            hint=f'export the model without it, or leave the mend out: skip = ["{mend.name}"] of the step adapt',
        )
    return frames


def make_summary(adaptation: Adaptation) -> list[dict[str, str]]:
    """Make the rows of the build's report: one per kind of change, with the count and the first names."""
    counts = Counter(change.kind for change in adaptation.changes)
    rows = []
    for kind, count in counts.items():
        changes = [change for change in adaptation.changes if change.kind == kind]
        names = list(dict.fromkeys(name for change in changes for name in change.names))
        what = f"{changes[0].before} -> {changes[0].after}" + (f"; {count - 1} more" if count > 1 else "")
        note = f"{_shorten(names)}: {what}" if names else what
        rows.append({"label": f"adapted {kind}", "value": str(count), "note": note})
    return rows


def _shorten(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
