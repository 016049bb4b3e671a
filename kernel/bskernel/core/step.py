"""A step: what the plan wants done, and where its inputs come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from bskernel_protocol import ArtifactKind, OutputDescription

from bskernel.core.tool import ToolInstall


class FromStep(msgspec.Struct, frozen=True, kw_only=True, tag="step"):
    """An input that an earlier step of the plan makes."""

    step: str
    output: str


class FromFile(msgspec.Struct, frozen=True, kw_only=True, tag="file"):
    """An input that the user gives: a file or a folder."""

    path: Path
    kind: ArtifactKind


Source: TypeAlias = FromStep | FromFile


class ExecutorRef(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One executor in one version, with the digest of all that it is made of, and the tools that it is given."""

    name: str
    version: str
    digest: str
    tools: tuple[ToolInstall, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a plan; `parameters` are those that differ from the entry's defaults."""

    index: int
    name: str
    executor: ExecutorRef
    entry: str
    parameters: dict[str, Any]
    inputs: dict[str, Source]
    outputs: tuple[OutputDescription, ...]
    stage_out: str | None = None
    needs: tuple[str, ...] = ()
    tool_versions: dict[str, str] = {}  # of a tool it needs, the version that the build chooses for it
    timeout_s: float | None = None
    memory_mib: int | None = None
    after: tuple[str, ...] = ()  # steps that must have ended well before this one, though it takes nothing of theirs

    @property
    def label(self) -> str:
        """The step's folder in a build directory."""
        return f"{self.index:02d}-{self.name}"
