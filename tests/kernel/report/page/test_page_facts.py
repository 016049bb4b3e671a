"""What a page says of a build: numbers, times, verdict, every fact."""

from typing import Any

import msgspec
import pytest
from bskernel.core.step_report import StepReport
from bskernel.report.page.facts import make_page
from bskernel.report.page.figures import figure, percent, shape_text
from bskernel.report.page.headlines import find_headlines, find_utilization
from bskernel.report.page.leaves import leaves_of
from bskernel.report.page.quality import find_confusion, stages_of
from bskernel.report.page.timeline import find_times
from support.finished_builds import value
from support.page_records import CONFUSION, HOSTILE, LOG, METRICS, STEPS, failed_record, full_record


@pytest.mark.parametrize(("number", "unit", "shown"), [
    (195312.5, "inferences/s", ("195,312", "inferences/s")),
    (1577.905, "us", ("1.578", "ms")),
    (11.82, "us", ("11.82", "\N{MICRO SIGN}s")),
    (0.019, "KiB", ("19.46", "B")),
    (0.0421, "W", ("42.1", "mW")),
    (0.9667, "fraction", ("96.67", "%")),
    (0.0, "count", ("0", "")),
    (-0.5, "ns", ("-0.5", "ns")),
])  # fmt: skip
def test_numbers_have_four_digits_and_a_unit_of_their_size(number: float, unit: str, shown: tuple[str, str]) -> None:
    assert figure(number, unit) == shown


def test_shapes_and_shares_are_short() -> None:
    assert shape_text((1, None, 3)) == "1 x ? x 3"
    assert (shape_text(()), shape_text(None)) == ("scalar", "")
    assert (percent(0.00321), percent(1.25), percent(12.5)) == ("0.321 %", "125 %", "1,250 %")


def test_a_headline_is_the_value_nearest_to_the_hardware_beside_its_estimate() -> None:
    found = {line.name: line for line in find_headlines(METRICS)}
    assert list(found) == ["throughput", "latency", "clock", "resources.LUT"]
    assert (found["throughput"].latest.stage, found["throughput"].ratio) == ("rtlsim", 0.9)
    assert (found["resources.LUT"].label, found["resources.LUT"].ratio) == ("LUT", 5.0)
    assert (found["clock"].latest.stage, found["clock"].ratio) == ("estimate", None)


def test_a_number_of_a_stand_in_is_no_headline_if_there_is_another() -> None:
    fake = {"power": [value(1.0, "W", "estimate"), value(9.0, "W", "routed", "stand-in:x")]}
    (line,) = find_headlines(fake)
    assert (line.latest.value, line.ratio, len(line.values)) == (1.0, None, 2)
    (line,) = find_headlines({"power": fake["power"][1:]})
    assert line.latest.is_stand_in


def test_the_share_of_the_device_is_that_of_the_latest_stage() -> None:
    (bar,) = find_utilization(METRICS)
    assert (bar.resource, bar.latest.value, bar.estimate, bar.total) == ("LUT", 1.25, 0.25, 400)


def test_a_step_waits_until_it_runs_and_a_recalled_one_does_not_run() -> None:
    adapt, fold, item = find_times(STEPS, 4.0, LOG).steps
    assert (adapt.begin, adapt.ran_from, adapt.waited) == (0.5, None, None)
    assert (fold.begin, fold.ran_from, fold.end, fold.waited) == (1.0, 2.0, 4.0, 1.0)
    assert (item.item, item.number, item.waited) == (True, 1, 0.5)


def test_without_a_log_there_are_no_times_but_all_steps() -> None:
    found = find_times(STEPS, 4.0, [{"event": "step started", "step": "adapt", "timestamp": "soon"}, {}])
    assert [step.begin for step in found.steps] == [None, None, None]
    assert found.seconds == 4.0


def test_every_leaf_has_its_path_and_nothing_is_left_out() -> None:
    tree: dict[str, Any] = {"a": [1, {"b c": "x"}], "empty": {}, "none": None, "list": [], "yes": True}
    assert [(leaf.path, leaf.text) for leaf in leaves_of(tree)] == [
        ("a[0]", "1"), ('a[1]."b c"', "x"), ("empty", "{}"), ("none", "null"), ("list", "[]"), ("yes", "true"),
    ]  # fmt: skip


def test_the_confusion_matrix_names_what_is_mistaken_and_which_stages_share_it() -> None:
    same = {"stages": [{"stage": name, "confusion": CONFUSION} for name in ("qonnx", "finn")]}
    found = find_confusion(stages_of(same))
    assert found is not None
    assert (found.stages, found.mistaken, found.largest) == (("qonnx", "finn"), ((2, 0, 1),), 10)
    assert find_confusion(stages_of({"stages": [{"stage": "qonnx"}]})) is None
    assert stages_of("something else") == ()


def test_the_verdict_says_how_it_ended_and_the_cause() -> None:
    verdict = make_page(full_record()).verdict
    assert (verdict.word, verdict.kind) == ("built, with 2 warnings", "warning")
    assert verdict.cause == "900 inferences/s (rtlsim); slow sets the pace with 300 cycles"
    missed = make_page(full_record(metrics={**METRICS, "timing_met": False})).verdict
    assert (missed.word, missed.kind) == ("built, timing not met", "bad")
    failed = make_page(failed_record()).verdict
    assert (failed.word, failed.kind, failed.cause) == ("failed", "bad", f"adapt: no such node {HOSTILE}")


def test_a_build_without_numbers_has_a_page() -> None:
    record = full_record(
        metrics=None, graph=None, evaluation=3, coverage=[], adaptation="", simulation={"frames": "x"}
    )
    page = make_page(record)
    assert (page.headlines, page.layers, page.stages, page.coverage, page.simulation) == ((), (), (), None, None)
    assert page.verdict.word == "built, with a warning"


def test_an_interrupted_step_has_an_end_and_no_time_of_its_own() -> None:
    step = StepReport(name="fold", executor="x@1", entry="fold", status="interrupted")
    (found,) = find_times([step], 1.0, LOG).steps
    assert (found.ran_from, found.end) == (None, 4.0)


def test_rows_and_warnings_of_steps_are_kept_apart() -> None:
    page = make_page(full_record())
    assert page.summary == (("folded", f"by {HOSTILE}", "fold", "fold"),)
    assert page.warnings == ("estimates only", "a warning of a step")
    assert msgspec.structs.asdict(page.tables[0][1])["rows"] == (("first", "2"),)
