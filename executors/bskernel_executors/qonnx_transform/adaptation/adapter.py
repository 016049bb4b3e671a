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
    mends = [mend for mend in MENDS if mend.name not in skip]
    begin, end = _compared_range(mends)
    for mend in mends[:begin]:
        changes += mend.function(model)
    before = copy.deepcopy(model)
    risky: list[Change] = []
    for mend in mends[begin:end]:
        made = mend.function(model)
        changes += made
        risky += made if mend.compared else []
    frames, reason = _compare(before, model, mends[begin:end]) if risky else (0, None)
    for mend in mends[end:]:
        changes += mend.function(model)
    return Adaptation(
        changes=tuple(changes),
        skipped=tuple(mend.name for mend in MENDS if mend.name in skip),
        compared_frames=frames,
        not_compared=reason,
    )


def _compared_range(mends: list[Mend]) -> tuple[int, int]:
    """Return where the first compared mend is, and where the last one ends: they are checked together, once."""
    compared = [at for at, mend in enumerate(mends) if mend.compared]
    return (compared[0], compared[-1] + 1) if compared else (len(mends), len(mends))


def _compare(before: Any, after: Any, mends: list[Mend]) -> tuple[int, str | None]:
    """Return how many frames agree, or why nothing could be compared. Raises StepFailure (model_load)."""
    try:
        differing, frames = count_differing(before, after)
    except NotExecutable as error:
        return 0, str(error)
    if differing:
        raise _blame(before, mends, f"{differing} of {frames} drawn frames differ")
    return frames, None


def _blame(model: Any, mends: list[Mend], finding: str) -> StepFailure:
    """Apply the mends again, one by one, to find the one that changes the outputs."""
    for mend in mends:
        before = copy.deepcopy(model)
        made = mend.function(model)
        if made and count_differing(before, model)[0]:
            break
    names = list(dict.fromkeys(name for change in made for name in change.names))
    what = f"{made[0].before} cannot become {made[0].after}" if made else "the mends cannot be made"
    return StepFailure(
        category="model_load",
        message=f"{what} without changing what the network computes: {finding}"
        + (f" ({_shorten(names)})" if names else ""),
        hint=f'export the model without it, or leave the mend out: skip = ["{mend.name}"] of the step adapt',
    )


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
    if adaptation.not_compared is not None:
        text = "what adapt changed is not verified, because the model cannot be executed as it came"
        rows.append({"label": "warning", "value": text, "note": adaptation.not_compared})
    return rows


def _shorten(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
