"""adaptation.json: what `adapt` changed in a user's model before the first step of a tool chain, and why."""

from __future__ import annotations

from pathlib import Path

import msgspec
from bskernel_protocol import FailureCategory, pretty_json

from bskernel_executors.exchange.artifact_file import read_artifact

ADAPTATION = "adaptation.json"


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One change of a model, in words for its author."""

    kind: str  # name of the mend
    names: tuple[str, ...]  # nodes or tensors, in the order of the graph
    before: str  # what was there
    after: str  # what is there now
    reason: str


class Adaptation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All changes, in the order in which they were made."""

    changes: tuple[Change, ...] = ()
    skipped: tuple[str, ...] = ()  # mends that the build switched off
    compared_frames: int = 0  # drawn frames on which the outputs before and after agree; 0 if none was computed
    not_compared: str | None = None  # why outputs had to be compared, but could not be computed


_DECODER = msgspec.json.Decoder(Adaptation)


def read_adaptation(path: Path, *, category: FailureCategory = "config") -> Adaptation:
    """Read the changes. Raises StepFailure (`category`)."""
    return read_artifact(path, _DECODER, ADAPTATION, writer="qonnx-transform:adapt", category=category)


def write_adaptation(adaptation: Adaptation, path: Path) -> None:
    """Write adaptation.json."""
    path.write_text(pretty_json(adaptation), encoding="utf-8")
