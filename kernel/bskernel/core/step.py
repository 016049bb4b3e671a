"""The step: one entry to run, and the sources of its inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from bskernel_protocol import ArtifactKind, OutputDescription

from bskernel.core.tool import ToolInstall


class FromStep(msgspec.Struct, frozen=True, kw_only=True, tag="step"):
    """An input that an earlier step of the plan produces."""

    step: str
    output: str


class FromFile(msgspec.Struct, frozen=True, kw_only=True, tag="file"):
    """An input that the user provides: a file or a folder."""

    path: Path
    kind: ArtifactKind


class FromFiles(msgspec.Struct, frozen=True, kw_only=True, tag="files"):
    """An input that some files of a folder of the user make up: a tree with these relative paths."""

    folder: Path
    names: tuple[str, ...]


Source: TypeAlias = FromStep | FromFile | FromFiles


class ExecutorRef(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """An executor in one version, with its digest and the tools that are mounted for it.

    `for_user_code` is true of one that runs code of the user's: its sessions run no other steps and are never kept.
    """

    name: str
    version: str
    digest: str
    tools: tuple[ToolInstall, ...] = ()
    for_user_code: bool = False

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class Each(msgspec.Struct, frozen=True, kw_only=True):
    """What makes a step run once for each item: a folder of the tree that is its input of that name."""

    input: str
    outputs: tuple[OutputDescription, ...]  # of one run; the step's own are trees with a folder per item


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
    tool_versions: dict[str, str] = {}  # tool -> the version that the build chooses
    timeout_s: float | None = None
    memory_mib: int | None = None
    after: tuple[str, ...] = ()  # steps that must succeed first, though none of their outputs is an input
    each: Each | None = None
    item_of: str | None = None  # the step for one of whose items this one runs

    @property
    def table(self) -> str:
        """The NAME of its [step.NAME] in a build file."""
        return self.item_of or self.name

    @property
    def label(self) -> str:
        """The step's folder in a build directory."""
        return f"{self.index:02d}-{self.name}"
