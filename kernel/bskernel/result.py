"""What a build comes to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec
from bskernel_protocol import Artifact, Failure

from bskernel.building import StepReport


class BuildResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one build, as result.json holds it."""

    name: str
    status: Literal["ok", "failed"]
    runtime: str  # "none" when every step was recalled
    directory: Path
    seconds: float
    steps: tuple[StepReport, ...]
    artifacts: dict[str, Artifact]  # the newest of each name
    by_step: dict[str, dict[str, Artifact]] = {}  # each step's JSON outputs, hidden by later ones or not
    metrics: dict[str, Any] | None = None
    failure: Failure | None = None


def newest_artifacts(reports: tuple[StepReport, ...]) -> dict[str, Artifact]:
    """Of each output name the one that the last step made."""
    return {artifact.name: artifact for report in reports for artifact in report.outputs}


def json_by_step(reports: tuple[StepReport, ...]) -> dict[str, dict[str, Artifact]]:
    """Of each step its JSON outputs by name: numbers that no later step of the same kind may hide."""
    found = {
        report.name: {item.name: item for item in report.outputs if item.media_type == "application/json"}
        for report in reports
    }
    return {step: made for step, made in found.items() if made}
