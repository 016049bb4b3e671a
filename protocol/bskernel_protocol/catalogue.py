"""What an executor can do, as data: its entries with their parameters, inputs, outputs and stages."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from bskernel_protocol.artifact import ArtifactKind
from bskernel_protocol.failure import FailureCategory


class ParameterDescription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One parameter of an entry; `schema` is the JSON Schema of its value."""

    name: str
    help: str
    schema: dict[str, Any]
    required: bool = False
    default: Any = None
    unit: str | None = None
    default_from: str | None = None  # a key of the build, e.g. "target.clock_ns", that fills it when absent


class InputDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input of an entry."""

    name: str
    kind: ArtifactKind | Literal["any"]  # "any": a file or a folder, as the build gives it
    required: bool = True
    help: str = ""
    # "flow": fed by the newest output of that name; "config": only when the build names a file for it
    source: Literal["flow", "config"] = "flow"
    default_from: str | None = (
        None  # a key of the build, e.g. "quality.samples", whose file fills it when none is given
    )


class OutputDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One output of an entry."""

    name: str
    kind: ArtifactKind
    required: bool = True
    help: str = ""
    media_type: str = "application/octet-stream"


class EntryDescription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One entry: stage in -> stage out; an empty `stage_in` takes any stage, no `stage_out` keeps it."""

    name: str
    summary: str
    parameters: tuple[ParameterDescription, ...] = ()
    inputs: tuple[InputDescription, ...] = ()
    outputs: tuple[OutputDescription, ...] = ()
    stage_in: tuple[str, ...] = ()
    stage_out: str | None = None
    needs: tuple[str, ...] = ()  # tools that must be mounted, e.g. "vivado"
    failure: FailureCategory = "unknown"  # what its failures are when nothing says otherwise
    # The stages that it can tell. Such an entry fails unless its input `model` is at one of its parameter `stages`;
    # its parameter `starts`, if any, is stage -> step that takes it. Plans that begin with a user's file use it.
    checks_stages: tuple[str, ...] = ()
    after_failure: bool = False  # runs also when an earlier step failed, with what was made until then
    # executes the model that it takes and compares it with the last such step's: a plan may repeat it after any step
    checks_model: bool = False


class Catalogue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="catalogue"):
    """All entries of one executor, in order of name."""

    executor: str
    version: str
    summary: str
    protocol: int
    entries: tuple[EntryDescription, ...]
