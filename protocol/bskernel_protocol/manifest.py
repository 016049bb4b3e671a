"""The files in a step directory that kernel and executor exchange: manifest, result, and lines of the log."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from bskernel_protocol.artifact import Artifact
from bskernel_protocol.failure import Failure


class StepManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="step-manifest"):
    """One step, as the executor gets it; `in/<name>` holds each input, `out/<name>` takes each output."""

    protocol: int
    step: str
    executor: str
    version: str
    executor_digest: str
    entry: str
    parameters: dict[str, Any]
    inputs: tuple[Artifact, ...]
    memory_mib: int | None = None  # limit of the step's address space in MiB; None is unlimited
    tools: dict[str, str] = {}  # mounted tools: name -> version, build and fingerprint


class StepResult(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="step-result"):
    """What the executor says of a step: `outputs` it wrote, what it `record`s, or why it failed."""

    protocol: int
    step: str
    outputs: tuple[str, ...] = ()
    record: dict[str, Any] = {}
    failure: Failure | None = None


class LogLine(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of log.jsonl: seconds since the step began, where it came from, its text."""

    seconds: float
    stream: Literal["stdout", "stderr", "progress"]
    text: str
