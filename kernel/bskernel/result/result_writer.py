"""Writes a build's result into its directory: artifacts, metrics, result.json, failure.txt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from bskernel_protocol import pretty_json
from bskernel_protocol.layout import LOG

from bskernel.core.interfaces import Store
from bskernel.core.metrics_form import FORMAT, METRICS_FORMAT
from bskernel.core.step import Step
from bskernel.core.step_report import StepReport
from bskernel.flow.loaded_config import LoadedConfig
from bskernel.plan.backend_choice import Choice
from bskernel.result.build_directory import BuildDirectory, last_files
from bskernel.result.build_result import BuildResult, Origin, result_of
from bskernel.result.failure_text import describe_failed

Encode: TypeAlias = Callable[[BuildResult], str]


def summarize(
    loaded: LoadedConfig,
    steps: tuple[Step, ...],
    reports: tuple[StepReport, ...],
    metrics: dict[str, Any] | None,
    *,
    output: Path,
    runtime: str,
    seconds: float,
    again: Sequence[str],
    backend: Choice | None = None,
    stopped_by: str | None = None,
    warnings: tuple[str, ...] = (),
    origin: Origin | None = None,
) -> BuildResult:
    """The result from the reports of a build's steps; failures get the path of their log in `output`."""
    return result_of(
        loaded.name,
        tuple(_with_log(report, step, output) for report, step in zip(reports, steps, strict=True)),
        runtime=runtime,
        backend=backend,
        directory=output,
        seconds=seconds,
        metrics=metrics,
        again=again,
        stopped_by=stopped_by,
        warnings=warnings,
        origin=origin,
    )


def write_results(
    directory: BuildDirectory, result: BuildResult, store: Store, encode: Encode = pretty_json
) -> tuple[str, ...]:
    """Write artifacts, metrics and, last of all, the result, which `encode` makes a text of.

    Returns the artifacts whose bytes are gone or damaged: when there are any, nothing is written.
    """
    by_step = {step: made.values() for step, made in result.by_step.items()}
    damaged = directory.export(result.artifacts.values(), by_step, store)
    if not damaged:
        last = _last_files(result)
        directory.write_results(encode(msgspec.structs.replace(result, files=directory.digests(last))), last)
    return damaged


def write_or_bare(
    directory: BuildDirectory, result: BuildResult, store: Store, encode: Encode = pretty_json
) -> tuple[BuildResult, tuple[str, ...]]:
    """Like `write_results`, but without artifacts that are gone if the result says enough without them.

    So it does after an interrupt, and after a failure while the shared store that holds them cannot be asked: to run
    steps again would replace the failure by that of the store. Returns the result that counts, too.
    """
    lost = write_results(directory, result, store, encode)
    if lost and (result.status == "interrupted" or (result.status == "failed" and store.unreachable is not None)):
        result = msgspec.structs.replace(result, artifacts={}, by_step={}, metrics=None)
        lost = write_results(directory, result, store, encode)
    return result, lost


def with_files(directory: BuildDirectory, result: BuildResult) -> BuildResult:
    """The result with the digests of the files that are written beside it."""
    return msgspec.structs.replace(result, files=directory.digests(_last_files(result)))


def numbers_of(result: BuildResult) -> dict[str, Any] | None:
    """The content of metrics.json; None without metrics."""
    return None if result.metrics is None else {FORMAT: METRICS_FORMAT, **result.metrics}


def _last_files(result: BuildResult) -> dict[str, bytes]:
    return last_files(numbers_of(result), describe_failed(result) if result.failure else None)


def _with_log(report: StepReport, step: Step, output: Path) -> StepReport:
    """The report and those of its items, with the log's path in their failures."""
    if report.failure is None and not report.items:
        return report
    items = tuple(_with_log(item, _item(step, item), output) for item in report.items)
    failure = report.failure
    if failure is not None and report.key is not None:
        at = step if report.failed_item is None else _item(step, report.failed_item)
        failure = msgspec.structs.replace(failure, log=str(BuildDirectory(output).step(at.label) / LOG))
    return msgspec.structs.replace(report, items=items, failure=failure)


def _item(step: Step, report: StepReport) -> Step:
    return msgspec.structs.replace(step, name=report.name)
