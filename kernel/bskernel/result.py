"""What a build comes to."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec
from bskernel_protocol import Artifact, Failure

from bskernel.backends import Choice
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
    metrics: dict[str, Any] | None = None
    failure: Failure | None = None
    backend: Choice | None = None  # None when the build names none


def newest_artifacts(reports: tuple[StepReport, ...]) -> dict[str, Artifact]:
    """Of each output name the one that the last step made."""
    return {artifact.name: artifact for report in reports for artifact in report.outputs}
