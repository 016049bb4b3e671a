"""Mend a user's model: refuse what no mend can help, run the mends in order, collect what they changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from bskernel_executors.exchange.adaptation import Adaptation, Change
from bskernel_executors.qonnx_transform.adaptation.mends import MENDS

_SHOWN = 3


def adapt_model(model: Any, *, skip: Collection[str] = ()) -> Adaptation:
    """Mend an onnx.ModelProto in place. Raises StepFailure (model_load) for what cannot be mended."""
    changes: list[Change] = []
    for mend in MENDS:
        if mend.name not in skip:
            changes += mend.function(model)
    return Adaptation(changes=tuple(changes), skipped=tuple(mend.name for mend in MENDS if mend.name in skip))


def make_summary(adaptation: Adaptation) -> list[dict[str, str]]:
    """Make the rows of the build's report: one per kind of change, with the count and the first names."""
    counts = Counter(change.kind for change in adaptation.changes)
    rows = []
    for kind, count in counts.items():
        changes = [change for change in adaptation.changes if change.kind == kind]
        names = list(dict.fromkeys(name for change in changes for name in change.names))
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        what = f"{changes[0].before} -> {changes[0].after}" + (f"; {count - 1} more" if count > 1 else "")
        where = f"{', '.join(names[:_SHOWN])}{more}: " if names else ""
        rows.append({"label": f"adapted {kind}", "value": str(count), "note": f"{where}{what}"})
    return rows
