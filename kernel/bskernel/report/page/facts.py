"""Everything that a build's page shows, as one value. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bskernel.core.model_graph import ModelGraph
from bskernel.core.record_form import find_record_fault
from bskernel.core.step_report import StepReport
from bskernel.report.diff_tables import Table
from bskernel.report.page.build_view import BuildView
from bskernel.report.page.figures import number, with_unit
from bskernel.report.page.folding_view import FoldingView, find_folding
from bskernel.report.page.headlines import DeviceShare, Headline, find_headlines, find_utilization
from bskernel.report.page.layers import LayerFacts, SimulationView, bottlenecks, find_layers, runner_up
from bskernel.report.page.leaves import Leaf, leaves_of
from bskernel.report.page.quality import (
    AdaptationView,
    Confusion,
    CoverageView,
    StageQuality,
    find_confusion,
    read_view,
    stages_of,
)
from bskernel.report.page.timeline import Timeline, find_times


class StepDetail(msgspec.Struct, frozen=True, kw_only=True):
    """What a step ran with, from its manifest."""

    executor_digest: str
    parameters: dict[str, Any] = {}  # those that differ from the entry's defaults
    inputs: tuple[tuple[str, str], ...] = ()  # name, digest
    tools: dict[str, str] = {}
    log: str | None = None  # relative to the build directory


class Download(msgspec.Struct, frozen=True, kw_only=True):
    """A file or folder of the build directory: its relative path, and a file's size in bytes."""

    path: str
    size: int | None = None


class ReportBase(msgspec.Struct, frozen=True, kw_only=True):
    """The build that this one is compared with."""

    label: str
    tables: tuple[Table, ...]
    reasons: dict[str, str] = {}  # step -> what of its key changed


class BuildRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What was read from a build directory. Documents of executors are as they wrote them, or None."""

    build: BuildView
    result_sha256: str
    metrics: Mapping[str, Any] | None = None  # metrics.json
    config: Mapping[str, Any] | None = None  # config.json
    graph: ModelGraph | None = None
    evaluation: Any = None
    coverage: Any = None
    adaptation: Any = None
    simulation: Any = None
    folding: Any = None  # folding_report.json
    log: tuple[Mapping[str, Any], ...] = ()
    details: Mapping[str, StepDetail] = {}
    excerpt: tuple[str, ...] = ()  # of the failed step's log
    altered: tuple[str, ...] = ()  # what changed in the directory since the build
    downloads: tuple[Download, ...] = ()
    base: ReportBase | None = None


class BuildVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """How the build ended, in a word and a sentence."""

    word: str
    kind: str  # "good", "warning" or "bad"
    cause: str


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """All that the page shows."""

    record: BuildRecord
    verdict: BuildVerdict
    headlines: tuple[Headline, ...]
    utilization: tuple[DeviceShare, ...]
    layers: tuple[LayerFacts, ...]
    timeline: Timeline
    stages: tuple[StageQuality, ...]
    confusion: Confusion | None
    coverage: CoverageView | None
    adaptation: AdaptationView | None
    simulation: SimulationView | None
    folding: FoldingView | None
    summary: tuple[tuple[str, str, str, str], ...]  # label, value, note, step
    tables: tuple[tuple[str, Table], ...]  # of executors: step, table
    leaves: tuple[Leaf, ...]
    warnings: tuple[str, ...]

    @property
    def slow(self) -> tuple[LayerFacts, ...]:
        """The layers that set the pace."""
        return bottlenecks(self.layers)

    @property
    def following(self) -> LayerFacts | None:
        """The slowest of the other layers."""
        return runner_up(self.layers)


def make_page(record: BuildRecord) -> Page:
    """The page of a build."""
    metrics, build = record.metrics, record.build
    simulation = read_view(record.simulation, SimulationView) if record.simulation is not None else None
    layers = find_layers(metrics, record.graph, simulation)
    headlines = find_headlines(metrics)
    stages = stages_of(record.evaluation)
    coverage = read_view(record.coverage, CoverageView) if record.coverage is not None else None
    adaptation = read_view(record.adaptation, AdaptationView) if record.adaptation is not None else None
    rows = _summary(build.steps)
    warnings = _warnings(record, rows)
    return Page(
        record=record,
        verdict=_judge(record, headlines, bottlenecks(layers), warnings),
        headlines=headlines,
        utilization=find_utilization(metrics),
        layers=layers,
        timeline=find_times(build.steps, build.seconds, record.log),
        stages=stages,
        confusion=find_confusion(stages),
        coverage=coverage,
        adaptation=adaptation,
        simulation=simulation,
        folding=find_folding(record.folding),
        summary=tuple(row for row in rows if row[0] != "warning"),
        tables=_tables(build.steps),
        leaves=tuple(leaves_of(metrics)) if metrics else (),
        warnings=warnings,
    )


def _sound(steps: tuple[StepReport, ...]) -> tuple[StepReport, ...]:
    """The steps whose records have the form that was asked of them; a result.json may be anybody's."""
    return tuple(step for step in steps if find_record_fault(step.record) is None)


def _summary(steps: tuple[StepReport, ...]) -> tuple[tuple[str, str, str, str], ...]:
    """The rows that executors offer of their steps."""
    return tuple(
        (str(row["label"]), str(row["value"]), str(row.get("note") or ""), step.name)
        for step in _sound(steps)
        for row in step.record.get("summary", ())
    )


def _tables(steps: tuple[StepReport, ...]) -> tuple[tuple[str, Table], ...]:
    return tuple(
        (
            step.name,
            Table(
                title=table["title"],
                columns=tuple(table["columns"]),
                rows=tuple(tuple(row) for row in table["rows"]),
            ),
        )
        for step in _sound(steps)
        for table in step.record.get("tables", ())
    )


def _warnings(record: BuildRecord, rows: tuple[tuple[str, str, str, str], ...]) -> tuple[str, ...]:
    named = (record.metrics or {}).get("warnings")
    measured = [text for text in named if isinstance(text, str)] if isinstance(named, list | tuple) else []
    said = [value for label, value, _, _ in rows if label == "warning"]
    changed = [f"changed since the build: {line}" for line in record.altered]
    return tuple(dict.fromkeys((*record.build.warnings, *measured, *said, *changed)))


def _judge(
    record: BuildRecord, headlines: tuple[Headline, ...], slow: tuple[LayerFacts, ...], warnings: tuple[str, ...]
) -> BuildVerdict:
    build = record.build
    if build.failure is not None:
        at = f"{build.failed_step}: " if build.failed_step else ""
        word = "interrupted" if build.status == "interrupted" else "failed"
        return BuildVerdict(word=word, kind="bad", cause=f"{at}{build.failure.message}")
    if build.status == "stopped":
        return BuildVerdict(word="stopped", kind="warning", cause=build.stopped_by or "")
    if build.status == "running":
        return BuildVerdict(word="running", kind="warning", cause="")
    if build.status != "ok":
        return BuildVerdict(word=build.status, kind="bad", cause="")
    texts = []
    rate = next((line for line in headlines if line.name == "throughput"), None)
    if rate is not None:
        texts.append(f"{with_unit(rate.latest.value, rate.latest.unit)} ({rate.latest.stage})")
    if slow:
        cycles = f" with {number(slow[0].cycles)} cycles" if slow[0].cycles is not None else ""
        more = f" and {len(slow) - 1} more" if len(slow) > 1 else ""
        texts.append(f"{slow[0].name}{more} set{'' if more else 's'} the pace{cycles}{' each' if more else ''}")
    cause = "; ".join(texts)
    if (record.metrics or {}).get("timing_met") is False:
        return BuildVerdict(word="built, timing not met", kind="bad", cause=cause)
    if warnings:
        many = "a warning" if len(warnings) == 1 else f"{len(warnings)} warnings"
        return BuildVerdict(word=f"built, with {many}", kind="warning", cause=cause)
    return BuildVerdict(word="built", kind="good", cause=cause)
