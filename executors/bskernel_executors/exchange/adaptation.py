"""adaptation.json: what `adapt` changed in a user's model before the first step of a tool chain, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from bskernel_protocol import pretty_json

ADAPTATION = "adaptation.json"


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One change of a model, in words for its author."""

    kind: str  # name of the mend
    names: tuple[str, ...]  # nodes or tensors, in the order of the graph
    before: str  # what was there
    after: str  # what is there now
    reason: str


def group_changes(kind: str, found: Mapping[tuple[str, str], Sequence[str]], reason: str) -> list[Change]:
    """Make a change of each (before, after), with the names that it was found for."""
    return [
        Change(kind=kind, names=tuple(names), before=before, after=after, reason=reason)
        for (before, after), names in found.items()
    ]


class Adaptation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All changes, in the order in which they were made."""

    changes: tuple[Change, ...] = ()
    skipped: tuple[str, ...] = ()  # mends that the build switched off
    compared_frames: int = 0  # drawn frames on which the outputs before and after agree; 0 if none was computed
    not_compared: str | None = None  # why outputs had to be compared, but could not be computed


def write_adaptation(adaptation: Adaptation, path: Path) -> None:
    """Write adaptation.json."""
    path.write_text(pretty_json(adaptation), encoding="utf-8")
