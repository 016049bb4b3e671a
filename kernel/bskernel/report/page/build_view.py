"""The fields of result.json that the page shows. Pure."""

from __future__ import annotations

from typing import Any

import msgspec
from bskernel_protocol import Artifact, Failure

from bskernel.core.step_report import StepReport


class BuildView(msgspec.Struct, frozen=True, kw_only=True):
    """A build's result, as in result.json."""

    name: str
    status: str
    runtime: str
    seconds: float
    steps: tuple[StepReport, ...]
    artifacts: dict[str, Artifact] = {}
    metrics: dict[str, Any] | None = None
    failure: Failure | None = None
    failed_step: str | None = None
    partial: dict[str, tuple[str, ...]] = {}
    commands: tuple[str, ...] = ()
    stopped_by: str | None = None
    warnings: tuple[str, ...] = ()
    backend: dict[str, Any] | None = None
    origin: dict[str, Any] | None = None
