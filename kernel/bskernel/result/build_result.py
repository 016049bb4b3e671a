"""The result of a build, as in result.json."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from bskernel_protocol import Artifact, Failure

from bskernel.core.errors import EXIT_ENVIRONMENT, EXIT_INTERRUPTED, EXIT_OK, EXIT_STEP_FAILED
from bskernel.core.interfaces import Store
from bskernel.core.metrics_form import METRICS, decode_metrics
from bskernel.core.step_report import StepReport
from bskernel.host.system import SystemFacts
from bskernel.lock.build_lock import BuildLock, ExecutorParts, Release
from bskernel.plan.backend_choice import Choice

RESULT_FORMAT = 1  # changes when a reader of the file before could misread it


class BuiltModel(msgspec.Struct, frozen=True, kw_only=True):
    """The network that was built: its path, relative to the configuration's folder, and its SHA-256."""

    path: str
    sha256: str


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What a build was made from, and by and on what."""

    bskernel: Release
    model: BuiltModel
    executors: dict[str, ExecutorParts]  # NAME@VERSION -> what it is made of
    host: SystemFacts
    engine: dict[str, Any] | None = None  # the container engine; None if no step ran in one


class BuildResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of one build, as in result.json."""

    format: int = RESULT_FORMAT
    name: str
    status: Literal["ok", "stopped", "failed", "interrupted"]  # stopped: a sweep point that violates a requirement
    runtime: str  # "none" when every step was recalled
    directory: Path
    seconds: float
    steps: tuple[StepReport, ...]
    artifacts: dict[str, Artifact]  # the newest of each name
    by_step: dict[str, dict[str, Artifact]] = {}  # each step's JSON outputs, also those that later steps replace
    metrics: dict[str, Any] | None = None
    failure: Failure | None = None
    backend: Choice | None = None  # None when the build names none
    failed_step: str | None = None  # the first step that failed
    partial: dict[str, tuple[str, ...]] = {}  # a step that ran after the failure -> what was outdated or missing
    commands: tuple[str, ...] = ()  # after a failure: what to try next
    stopped_by: str | None = None  # the violated requirement, with its numbers
    warnings: tuple[str, ...] = ()  # what can be built, but is hardly meant; what the chosen runtime does not promise
    origin: Origin | None = None  # None when a file that the user gives could not be read
    files: dict[str, str] = {}  # every other file of the build directory but artifacts -> SHA-256

    @property
    def parts(self) -> tuple[StepReport, ...]:
        """All steps, each after its items."""
        return tuple(part for step in self.steps for part in step.parts)

    @property
    def exit_code(self) -> int:
        """The exit code of the command."""
        if self.status == "interrupted":
            return EXIT_INTERRUPTED
        if self.failure is None:
            return EXIT_OK
        return EXIT_ENVIRONMENT if self.failure.category == "environment" else EXIT_STEP_FAILED

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from bskernel.result.build_html import build_html

        return build_html(self)


def origin_of(lock: BuildLock, host: SystemFacts, engine: dict[str, Any] | None = None) -> Origin:
    """What a build with that lock is made from, on that machine."""
    model = BuiltModel(path=lock.model, sha256=lock.files[lock.model].sha256)
    return Origin(bskernel=lock.bskernel, model=model, executors=lock.executors, host=host, engine=engine)


def newest_artifacts(reports: tuple[StepReport, ...]) -> dict[str, Artifact]:
    """Output name -> the artifact of the last step that produced it."""
    return {artifact.name: artifact for report in reports for artifact in report.outputs}


def metrics_of(reports: tuple[StepReport, ...], store: Store) -> dict[str, Any] | None:
    """The build's numbers, from its last step with an output `metrics`; None without one."""
    artifact = newest_artifacts(reports).get(METRICS)
    data = store.get(artifact.digest) if artifact is not None else None
    if data is None:
        return None
    with contextlib.suppress(ValueError):  # whoever remembered this did not check it
        return decode_metrics(data)
    return None


def with_lost_artifacts(result: BuildResult, places: Mapping[str, Artifact], lost: Sequence[str]) -> BuildResult:
    """The result of a build whose artifacts cannot be laid out, because the cache loses them again and again.

    `places` maps paths in artifacts/ to artifacts; `lost` are the paths of those that are lost.
    """
    gone = places.get(lost[0])
    makers = [report.name for report in result.steps if gone is not None and gone in report.outputs]
    failure = Failure(
        category="environment",
        message=f"{lost[0]} is missing from the cache or corrupt, though the step that produces it ran again",
        hint="check the disk of the cache, and run `bskernel store check --repair`",
    )
    return msgspec.structs.replace(
        result,
        status="failed",
        failure=failure,
        failed_step=makers[-1] if makers else None,
        artifacts={},
        by_step={},
        metrics=None,
    )


def json_by_step(reports: tuple[StepReport, ...]) -> dict[str, dict[str, Artifact]]:
    """Step -> its JSON outputs by name, so that no later step hides them."""
    found = {
        report.name: {item.name: item for item in report.outputs if item.media_type == "application/json"}
        for report in reports
    }
    return {step: made for step, made in found.items() if made}


def next_commands(directory: Path, report: StepReport, again: Sequence[str]) -> tuple[str, ...]:
    """The commands to try after a failure: explain it, run the step alone, go on with `bskernel run` and `again`."""
    import shlex

    build = shlex.quote(str(directory))
    name = (report.failed_item or report).name
    look = [f"bskernel explain {build} {name}"]
    category = report.failure.category if report.failure is not None else "unknown"
    # A step without inputs, or whose executor never started, cannot run alone.
    if report.key is not None and category not in {"environment", "interrupted"}:
        look.append(f"bskernel replay {build} {name}")
    return (*look, shlex.join(("bskernel", "run", *again)))


def result_of(
    name: str,
    reports: tuple[StepReport, ...],
    *,
    runtime: str,
    directory: Path,
    seconds: float,
    metrics: dict[str, Any] | None,
    again: Sequence[str],
    backend: Choice | None = None,
    stopped_by: str | None = None,
    warnings: tuple[str, ...] = (),
    origin: Origin | None = None,
) -> BuildResult:
    """The build's result from the reports of its steps; the first failure is the build's.

    `again` are the arguments of `bskernel run` that go on with this build.
    """
    first = next((report for report in reports if report.status in {"failed", "interrupted"}), None)
    interrupted = any(report.status == "interrupted" for report in reports)
    return BuildResult(
        name=name,
        status="interrupted" if interrupted else "failed" if first is not None else "stopped" if stopped_by else "ok",
        runtime=runtime,
        directory=directory,
        seconds=round(seconds, 3),
        steps=reports,
        artifacts=newest_artifacts(reports),
        by_step=json_by_step(reports),
        metrics=metrics,
        failure=first.failure if first is not None else None,
        failed_step=first.name if first is not None else None,
        partial={report.name: report.partial for report in reports if report.partial},
        commands=next_commands(directory, first, again) if first is not None else (),
        backend=backend,
        stopped_by=stopped_by,
        warnings=warnings,
        origin=origin,
    )
