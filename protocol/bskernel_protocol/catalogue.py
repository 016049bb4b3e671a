"""The catalogue of an executor as data: its entries with their parameters, inputs, outputs and stages."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from bskernel_protocol.artifact import ArtifactKind
from bskernel_protocol.failure import FailureCategory

CODE = "text/x-python"


class ParameterDescription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One parameter of an entry; `schema` is the JSON Schema of its value."""

    name: str
    help: str
    schema: dict[str, Any]
    required: bool = False
    default: Any = None
    unit: str | None = None
    # the key of the build that fills it if the build does not set it, e.g. "target.clock_ns"
    default_from: str | None = None


class InputDescription(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One input of an entry."""

    name: str
    kind: ArtifactKind | Literal["any"]  # "any": a file or a folder
    required: bool = True
    help: str = ""
    # "flow": fed by the newest output of the same name; "config": only by a path that the build names
    source: Literal["flow", "config"] = "flow"
    # the key of the build whose path feeds it if nothing else does, e.g. "quality.samples"
    default_from: str | None = None
    # the form of a file that the user gives; planning checks application/x-onnx and application/json (an object); a
    # tree of CODE is the user's own code, and steps that are given some run in a session of their own
    media_type: str = "application/octet-stream"


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
    failure: FailureCategory = "unknown"  # the category of its failures that no rule knows
    # The stages that it can recognize. Such an entry fails unless its input `model` is at one of the stages in its
    # parameter `stages`; its parameter `starts`, if any, maps a stage to the step that accepts it. A plan that begins
    # with a user's model in the middle of a flow runs it first.
    checks_stages: tuple[str, ...] = ()
    after_failure: bool = False  # also runs if an earlier step has failed, on the artifacts made so far
    # executes its model and compares it with the model of the last such step; a plan may repeat it after any step
    checks_model: bool = False


class Catalogue(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="catalogue"):
    """All entries of one executor, in order of name."""

    executor: str
    version: str
    summary: str
    protocol: int
    entries: tuple[EntryDescription, ...]
    boards: dict[str, str] = {}  # boards that `target.board` may name -> the part on each
