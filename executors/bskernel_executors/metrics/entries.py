"""The entries of the metrics executor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import msgspec
from bskernel_protocol import pretty_json

from bskernel_executors.metrics import analyses
from bskernel_executors.metrics.collect import SIMULATION, collect_metrics
from bskernel_executors.metrics.gate import check_timing
from bskernel_executors.metrics.quality import add_accuracy, quality_rows, quality_table
from bskernel_executors.metrics.reconciling import reconciliation_table, summary_rows
from bskernel_executors.metrics.reports import read_reports
from bskernel_executors.quality.evaluation import read_evaluation
from bskernel_executors.sdk import Input, Output, Registry, Step, parameter

registry = Registry(executor="metrics", summary="one typed set of metrics from FINN's reports, and analyses of it")


class CollectParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `collect`."""

    clock_ns: Annotated[
        float | None, parameter("clock period asked for", unit="ns", default_from="target.clock_ns")
    ] = None
    part: Annotated[str | None, parameter("FPGA part, for utilization", default_from="target.part")] = None
    board: Annotated[str | None, parameter("board, for its part", default_from="target.board")] = None
    require_timing: Annotated[bool, parameter("fail unless a report says that the routed design meets its clock")] = (
        False
    )


def _read(path: Path | None) -> dict[str, Any] | None:
    found: dict[str, Any] | None = None if path is None else json.loads(path.read_text(encoding="utf-8"))
    return found


@registry.entry(
    "collect",
    summary="read every FINN report that exists; what none says is absent",
    parameters=CollectParameters,
    inputs=(
        Input("output", kind="tree", help="FINN's output directory"),
        Input("simulation", kind="file", required=False, help="what rtl-sim measured"),
        Input("synthesis", kind="file", required=False, help="what yosys-synth or vivado-synth counted"),
        Input("implementation", kind="file", required=False, help="what vivado-synth found of the routed design"),
        Input("evaluation", kind="tree", required=False, help="how each stage judged the network"),
    ),
    outputs=(Output("metrics", kind="file", media_type="application/json"),),
    failure="metrics",
    after_failure=True,
)
def collect(step: Step[CollectParameters]) -> None:
    """Collect metrics."""
    given = step.params
    metrics = collect_metrics(
        read_reports(step.required_input("output")),
        given.clock_ns,
        part=given.part,
        board=given.board,
        simulation=_read(step.input("simulation")),
        synthesis=_read(step.input("synthesis")),
        implementation=_read(step.input("implementation")),
    )
    if given.require_timing:
        check_timing(metrics, given.clock_ns)
    rows, tables = summary_rows(metrics), [reconciliation_table(metrics)]
    folder = step.input("evaluation")
    if folder is not None:
        stages = read_evaluation(folder).stages
        # What the simulation measured stands in the table too.
        rows = summary_rows(msgspec.structs.replace(metrics, accuracy=())) + quality_rows(stages)
        tables.append(quality_table(stages, metrics.raw.get(SIMULATION, {})))
        metrics = add_accuracy(metrics, stages)
    step.output("metrics").write_text(pretty_json(metrics), encoding="utf-8")
    step.record({"summary": rows, "tables": [table for table in tables if table is not None]})


analyses.declare(registry)
