"""The entries of the metrics executor."""

from __future__ import annotations

from typing import Annotated

import msgspec
from bskernel_protocol import pretty_json

from bskernel_executors.exchange.budget_check import read_budget_check
from bskernel_executors.exchange.coverage import read_coverage
from bskernel_executors.exchange.coverage_texts import refuse_uncovered
from bskernel_executors.exchange.evaluation import read_evaluation
from bskernel_executors.exchange.simulation import read_simulation
from bskernel_executors.exchange.synthesis import read_implementation, read_synthesis
from bskernel_executors.metrics import analyses
from bskernel_executors.metrics.collector import collect_metrics
from bskernel_executors.metrics.quality_table import add_accuracy, make_quality_rows, make_quality_table
from bskernel_executors.metrics.reconciliation import make_reconciliation_table, make_summary_rows
from bskernel_executors.metrics.reports import read_reports
from bskernel_executors.metrics.timing_check import check_timing
from bskernel_executors.sdk import Input, Output, Registry, Step, parameter

registry = Registry(
    executor="metrics", summary="metrics of a build in one typed form, and analyses of them", reuses_processes=True
)


class CollectParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `collect`."""

    clock_ns: Annotated[
        float | None, parameter("requested clock period", unit="ns", default_from="target.clock_ns")
    ] = None
    part: Annotated[str | None, parameter("FPGA part, for utilization", default_from="target.part")] = None
    board: Annotated[str | None, parameter("board, for its part", default_from="target.board")] = None
    target_fps: Annotated[
        int | None, parameter("requested throughput; a warning if it is missed", default_from="target.target_fps")
    ] = None
    require_timing: Annotated[
        bool, parameter("fail unless a report states that the routed design meets its clock")
    ] = False


@registry.entry(
    "collect",
    summary="collect metrics from all reports that exist; a value that no report states is absent",
    parameters=CollectParameters,
    inputs=(
        Input("output", kind="tree", help="FINN's output directory"),
        Input("simulation", kind="file", required=False, help="simulation.json from rtl-sim:simulate"),
        Input("synthesis", kind="file", required=False, help="synthesis.json from yosys-synth or vivado-synth"),
        Input("implementation", kind="file", required=False, help="implementation.json from vivado-synth"),
        Input("budget_check", kind="file", required=False, help="budget_check.json from finn-step:measure_costs"),
        Input("evaluation", kind="tree", required=False, help="evaluation of the network at each stage"),
        Input("coverage", kind="file", required=False, help="coverage.json from finn-step:coverage"),
    ),
    outputs=(Output("metrics", kind="file", media_type="application/json"),),
    failure="metrics",
    after_failure=True,
)
def collect(step: Step[CollectParameters]) -> None:
    """Collect metrics, with the quality of each stage if there is an evaluation.

    Raises StepFailure (transform) if the coverage says that the numbers are of no layer that multiplies.
    """
    given = step.params
    covered = read_coverage(path, category="metrics") if (path := step.input("coverage")) is not None else None
    failure = refuse_uncovered(covered) if covered is not None else None
    if failure is not None:
        raise failure
    paths = {name: step.input(name) for name in ("simulation", "synthesis", "implementation")}
    simulation = read_simulation(path, category="metrics") if (path := paths["simulation"]) is not None else None
    synthesis = read_synthesis(path, category="metrics") if (path := paths["synthesis"]) is not None else None
    routed = read_implementation(path, category="metrics") if (path := paths["implementation"]) is not None else None
    budget = read_budget_check(path, category="metrics") if (path := step.input("budget_check")) is not None else None
    metrics = collect_metrics(
        read_reports(step.required_input("output")),
        given.clock_ns,
        part=given.part,
        board=given.board,
        simulation=simulation,
        synthesis=synthesis,
        implementation=routed,
        coverage=covered,
        budget=budget,
        target_fps=given.target_fps,
    )
    if given.require_timing:
        check_timing(metrics, given.clock_ns)
    rows, tables = make_summary_rows(metrics), [make_reconciliation_table(metrics)]
    folder = step.input("evaluation")
    if folder is not None:
        stages = read_evaluation(folder).stages
        # The table below shows the accuracy of the simulation, too.
        rows = make_summary_rows(msgspec.structs.replace(metrics, accuracy=())) + make_quality_rows(stages)
        tables.append(make_quality_table(stages, simulation))
        metrics = add_accuracy(metrics, stages)
    step.output("metrics").write_text(pretty_json(metrics), encoding="utf-8")
    step.record({"summary": rows, "tables": [table for table in tables if table is not None]})


analyses.declare(registry)
