"""What a notebook shows of results: the numbers, the reason of a failure, and never code of others."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel.core.notebook_html import MOST_ROWS, html_table, number_text
from bskernel.core.step_report import StepReport
from bskernel.result.build_result import BuildResult
from bskernel.result.comparison import Gate, compare, judge
from bskernel.sweeps.analysis.analysis import results_of
from bskernel.sweeps.analysis.analysis_types import Goals
from bskernel.sweeps.results.sweep_result import StepCounts, SweepResult
from bskernel_protocol import Failure
from support.finished_builds import BASE, NEW
from support.html_document import Document, document
from support.page_records import HOSTILE, METRICS
from support.sweep_records import GOALS, rows
from support.sweep_tables import table

STEP = StepReport(name="fold", executor="x@1", entry="fold", status="ran")
BUILT = BuildResult(
    name="digits",
    status="ok",
    runtime="process",
    directory=Path("build/digits"),
    seconds=1.25,
    steps=(STEP, msgspec.structs.replace(STEP, name="metrics", status="recalled")),
    artifacts={},
    metrics=METRICS,
)
FAILED = msgspec.structs.replace(
    BUILT,
    name=HOSTILE,
    status="failed",
    metrics=None,
    failed_step="fold",
    failure=Failure(category="model_load", message=f"no such node {HOSTILE}", hint="export it again"),
    warnings=(f"odd {HOSTILE}",),
)


def swept(goals: Goals = GOALS) -> SweepResult:
    return SweepResult(
        table=table(*rows()),
        goals=goals,
        counts=StepCounts(points=12, ok=9, failed=2, stopped=1),
        status="failed",
        directory=Path("build/digits-sweep"),
        runtime="process",
        seconds=3.0,
    )


def shown(result: Any) -> Document:
    """As a notebook shows it: small, whole, and without anything that runs or loads."""
    text = result._repr_html_()
    assert len(text) < 20_000
    assert not re.search(r"<(?!/?(?:p|b|ul|li|table|caption|thead|tbody|tr|th|td)[ >])", text)
    return document(text)


def test_a_build_shows_each_quantity_at_its_latest_stage() -> None:
    found = shown(BUILT)
    assert "digits: ok, 1 step ran, 1 recalled, 1.25 s" in found.text
    assert found.tables["0"][1:] == [
        ["throughput", "900", "inferences/s", "rtlsim"],
        ["latency", "1,578", "us", "rtlsim"],
        ["clock", "200", "MHz", "estimate"],
        ["resources.LUT", "500", "count", "synth"],
    ]


def test_a_failed_build_shows_why_and_what_to_do() -> None:
    text = shown(FAILED).text
    for fact in (f"fold: no such node {HOSTILE}", "What to do: export it again", f"odd {HOSTILE}"):
        assert fact in text


def test_a_sweep_shows_the_recommendation_the_pareto_set_and_what_is_left_out() -> None:
    found = shown(swept())
    assert "recommended: good: fps = 3000, part = a" in found.text
    assert [line[:3] for line in found.tables["0"][1:]] == [
        ["good", "900", "300"], ["fast", "1,000", "800"], ["twin", "900", "300"], ["small", "100", "100"],
    ]  # fmt: skip
    assert f"broken: failed: fold: no such node {HOSTILE}" in found.text
    assert shown(results_of(table(*rows()), GOALS)).tables == found.tables


@pytest.mark.parametrize("goals", [Goals(), Goals(maximize=("speed",))])
def test_a_sweep_without_an_objective_that_it_has_shows_its_points(goals: Goals) -> None:
    assert "points: 9 of 9 points" in shown(swept(goals)).text


def test_a_comparison_shows_its_gates_and_all_that_differs() -> None:
    gate = Gate(fail_if="throughput < base", reason="")
    found = shown(compare(BASE, NEW, (judge(gate, BASE.quantities, NEW.quantities),)))
    assert "builds/main (A, ok) and builds/change (B, ok): gates failed" in found.text
    assert ["throughput", "estimate", "inferences/s", "200,000", "100,000", "-50 %"] in found.tables["1"]
    assert ["latency", "estimate", "us", "12", "", ""] in found.tables["1"]
    assert ["target.target_fps", "100000", "50000"] in found.tables["3"]
    assert any(row[0] == "fold" and "target_fps: 100000 -> 50000" in row[2] for row in found.tables["4"])
    assert shown(compare(BASE, BASE)).text == "builds/main (A, ok) and builds/main (B, ok): the same"


def test_names_of_others_are_text() -> None:
    for result in (FAILED, swept()):
        assert HOSTILE not in result._repr_html_()


def test_long_tables_are_cut_and_say_so() -> None:
    text = html_table("many", ("n",), [(at,) for at in range(MOST_ROWS + 5)])
    assert (text.count("<tr>"), "and 5 more" in text) == (MOST_ROWS + 1, True)


@pytest.mark.parametrize(("value", "text"), [
    (0.0, "0"), (586524.2, "586,524"), (12.1649, "12.16"), (0.00071234, "0.0007123"), (-3, "-3"), (1024, "1,024"),
    (float("inf"), "inf"), (float("nan"), "nan"),
])  # fmt: skip
def test_numbers_have_four_digits_and_counts_all(value: float, text: str) -> None:
    assert number_text(value) == text
