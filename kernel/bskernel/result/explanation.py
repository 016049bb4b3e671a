"""Explains a step of a finished build: why it failed, or what it ran with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from bskernel_protocol import Artifact, Failure, LogLine
from bskernel_protocol.layout import LOG, LOG_LARGEST
from bskernel_protocol.plain_file import NotPlainError, read_plain

from bskernel.core.errors import ConfigError
from bskernel.core.step_report import StepReport
from bskernel.result.build_directory import BuildDirectory
from bskernel.result.build_result import BuildResult
from bskernel.result.integrity import find_altered
from bskernel.result.result_file import read_result, result_path

_BEFORE, _AFTER = 6, 12  # lines of the log around the first error
_ERROR = re.compile(r"\b(error|fatal|traceback|exception)\b|Error\b|core dumped", re.IGNORECASE)


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a build: what it was, what became of it, and if it failed, why and what to try."""

    build: str
    step: str
    status: str
    executor: str
    entry: str
    seconds: float
    key: str | None = None
    executor_digest: str | None = None
    parameters: dict[str, Any] = {}  # those that differ from the entry's defaults
    inputs: tuple[Artifact, ...] = ()
    outputs: tuple[Artifact, ...] = ()
    limits: dict[str, float] = {}  # memory_mib
    peak_mib: int | None = None
    partial: tuple[str, ...] = ()
    items: str = ""  # of a step with `each`: how many, and what became of them
    because: str | None = None  # why it was skipped
    why: tuple[str, ...] = ()  # why it ran and was not recalled
    failure: Failure | None = None
    log: str | None = None
    excerpt: tuple[str, ...] = ()  # of the log, around the first error
    commands: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()  # what in the build directory changed since the build


def lines_of(log: Path) -> tuple[str, ...]:
    """The texts of a step's log; a line that is torn is shown as it is."""
    try:
        raw = read_plain(str(log), LOG_LARGEST).splitlines()
    except (OSError, NotPlainError):
        return ()
    texts = []
    for line in raw:
        try:
            texts.append(msgspec.json.decode(line, type=LogLine).text)
        except (ValueError, RecursionError):
            texts.append(line.decode("utf-8", "replace"))
    return tuple(texts)


def excerpt_of(lines: Sequence[str], failure: Failure) -> tuple[str, ...]:
    """The log around its first error: where a line of the cause stands, or else what looks like one; or its end."""
    wanted = [line.strip() for line in failure.cause if line.strip()]
    at = next((number for line in wanted for number, text in enumerate(lines) if text.strip() == line), None)
    if at is None:
        at = next((number for number, text in enumerate(lines) if _ERROR.search(text)), None)
    if at is None:
        return tuple(lines[-_AFTER:])
    return tuple(lines[max(0, at - _BEFORE) : at + _AFTER])


def explain(build: Path, step: str | None) -> Explanation:
    """The step of that name or index; without one the step that failed. Raises ConfigError with the choices."""
    result = read_result(build, BuildResult)
    build = result_path(build).parent
    name = step or result.failed_step
    if name is None:
        names = ", ".join(report.name for report in result.steps)
        raise ConfigError(f"{build}: no step has failed: name one", hint=f"steps: {names}")
    report = _find(result, name, build)
    if step is None and report.failed_item is not None:
        report = report.failed_item
    folder = next(iter(sorted((build / "steps").glob(f"*-{report.name}"))), None)
    known = Explanation(
        build=str(build),
        step=report.name,
        status=report.status,
        executor=report.executor,
        entry=report.entry,
        seconds=report.seconds,
        key=report.key,
        outputs=report.outputs,
        peak_mib=report.peak_mib,
        partial=report.partial,
        why=report.why,
        items=report.items_text,
        failure=report.failure,
        because=_why_skipped(result) if report.status == "skipped" else None,
        commands=result.commands if name == result.failed_step else (),
        altered=find_altered(build),
    )
    # A step without inputs has no folder in this build; an existing one is from an earlier build.
    if folder is None or report.key is None:
        return known
    manifest = BuildDirectory(build).manifest(report.name)[1]
    return msgspec.structs.replace(
        known,
        executor_digest=manifest.executor_digest,
        parameters=manifest.parameters,
        inputs=manifest.inputs,
        limits={"memory_mib": manifest.memory_mib} if manifest.memory_mib is not None else {},
        log=str(folder / LOG),
        excerpt=excerpt_of(lines_of(folder / LOG), report.failure) if report.failure is not None else (),
    )


def _why_skipped(result: BuildResult) -> str:
    if result.stopped_by is not None:
        return f"the sweep requires what the build does not keep: {result.stopped_by}"
    return f"step {result.failed_step} did not succeed"


def _find(result: BuildResult, name: str, build: Path) -> StepReport:
    for index, step in enumerate(result.steps):
        if name.isdigit() and int(name) == index:
            return step
        for report in step.parts:
            if name in {report.name, f"{index:02d}-{report.name}"}:
                return report
    names = ", ".join(report.name for step in result.steps for report in step.parts)
    raise ConfigError(f"{build}: unknown step {name!r}", hint=f"steps: {names}")
