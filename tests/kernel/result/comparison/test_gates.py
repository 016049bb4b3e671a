"""What gates come to for two builds."""

from typing import Any

import pytest
from bskernel.result.comparison import ExpressionError, Gate, Verdict, judge
from bskernel.result.quantities import quantities_of
from support.finished_builds import BASE, NEW, value


def verdict(text: str, base: Any = BASE.metrics, new: Any = NEW.metrics, **options: Any) -> Verdict:
    return judge(Gate(fail_if=text), quantities_of(base), quantities_of(new), **options)


def throughput(*stages: str) -> dict[str, Any]:
    return {"throughput": [value(100.0 + place, "inferences/s", stage) for place, stage in enumerate(stages)]}


def test_a_gate_fails_when_its_condition_holds_and_says_by_which_numbers() -> None:
    failed = verdict("throughput < 0.98 * base")
    assert (failed.status, failed.fails) == ("failed", True)
    assert failed.text == (
        "throughput@rtlsim [97656.25 inferences/s] < 0.98 * base.throughput@rtlsim [195312.5 inferences/s]"
    )
    passed = verdict("throughput < 0.4 * base")
    assert (passed.status, passed.fails) == ("passed", False)


@pytest.mark.parametrize(
    ("base", "new", "stage"),
    [
        (["estimate", "rtlsim", "routed"], ["estimate", "rtlsim"], "rtlsim"),
        (["estimate"], ["estimate", "measured"], "estimate"),
        (["routed", "hls", "synth"], ["synth", "routed", "measured"], "routed"),
        (["guess", "estimate"], ["guess", "estimate"], "estimate"),
        (["guess"], ["guess", "estimate"], "guess"),
    ],
)
def test_without_a_stage_it_is_the_latest_that_both_builds_have(base: list[str], new: list[str], stage: str) -> None:
    found = verdict("throughput < base", throughput(*base), throughput(*new))
    assert {reading.found.stage for reading in found.readings} == {stage}
    assert found.text.count(f"throughput@{stage} ") == 2


def test_a_quantity_that_is_not_compared_with_the_base_is_the_latest_of_its_own_build() -> None:
    assert verdict("LUT > 700").text == "resources.LUT@synth [775] > 700"
    assert verdict("LUT > 700 or LUT > base").text.startswith("resources.LUT@estimate [800] > 700 or")


def test_a_short_name_is_the_first_that_ends_in_it_and_is_told_in_full() -> None:
    assert verdict("LUT@estimate > base").text.startswith("resources.LUT@estimate [800]")
    assert verdict("utilization.LUT > 0.8").text == "utilization.LUT@estimate [0.01 fraction] > 0.8"


def test_numbers_of_one_source_are_compared_where_both_builds_have_it() -> None:
    base = {"power": [value(3.0, "W", "routed", "toggle_12"), value(2.0, "W", "routed", "simulated")]}
    new = {"power": [value(1.0, "W", "routed", "simulated"), value(5.0, "W", "routed", "toggle_50")]}
    found = verdict("power < base", base, new)
    assert [(reading.found.source, reading.found.value) for reading in found.readings] == [
        ("simulated", 1.0),
        ("simulated", 2.0),
    ]
    alone = verdict("power < base", {"power": base["power"][:1]}, new)
    assert [reading.found.source for reading in alone.readings] == ["simulated", "toggle_12"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("latency > base", "latency is missing in B"),
        ("LUT@synth > base", "resources.LUT@synth is missing in A, which has it at estimate"),
        ("throughput@measured < 5", "throughput@measured is missing in B, which has it at estimate, rtlsim"),
        ("throughput / base.resources.URAM < 1", "base.resources.URAM is 0, and is divided by"),
    ],
)
def test_what_is_absent_cannot_be_judged_and_fails_unless_it_is_ignored(text: str, why: str) -> None:
    missing = verdict(text)
    assert (missing.status, missing.fails, missing.text) == ("missing", True, f"cannot be judged: {why}")
    ignored = verdict(text, missing="ignore")
    assert (ignored.status, ignored.fails, ignored.text) == ("ignored", False, missing.text)


def test_numbers_of_different_units_or_without_a_common_stage_cannot_be_judged() -> None:
    base = {"clock": [value(200.0, "MHz", "estimate")]}
    assert (
        "once in kHz and once in MHz"
        in verdict("clock < base", base, {"clock": [value(2e5, "kHz", "estimate")]}).text
    )
    text = verdict("clock < base", base, {"clock": [value(2e5, "MHz", "routed")]}).text
    assert text == "cannot be judged: clock is at no stage that both builds have: A has estimate; B has routed"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "LUT > 1 or troughput < base",
            "column 12: neither build has a quantity 'troughput'; did you mean 'throughput'",
        ),
        ("LUT@sinth > 1", "column 1: unknown stage 'sinth'; stages: estimate, hls, rtlsim"),
    ],
)
def test_what_no_build_has_is_refused_as_mistyped_unless_what_is_missing_is_ignored(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        verdict(text)
    assert str(refused.value).startswith(message)
    assert verdict(text, missing="ignore").status == "ignored"


def test_builds_without_metrics_cannot_be_judged() -> None:
    assert verdict("throughput < base", None, None).status == "missing"


RECORDED = {"resources": {"LUT": [value(999.0, "count", "routed", "stand-in (report/x.json)")]}}
REAL = {"resources": {"LUT": [value(800.0, "count", "routed", "report/x.json")]}}


@pytest.mark.parametrize(("base", "new", "recorded"), [(RECORDED, REAL, "A"), (REAL, RECORDED, "B")])
def test_a_stand_in_s_number_is_not_judged_against_a_tool_s(base: Any, new: Any, recorded: str) -> None:
    found = verdict("LUT@routed > 1.05 * base", base, new)
    assert (found.status, found.fails) == ("missing", True)
    assert f"a number of the stand-in for a tool in {recorded}, not hardware's" in found.text
    assert verdict("LUT > base", base, new, missing="ignore").status == "ignored"


def test_a_stand_in_s_numbers_are_judged_among_themselves_and_named_as_what_they_are() -> None:
    text = "resources.LUT@routed [999, stand-in] > base.resources.LUT@routed [999, stand-in]"
    assert verdict("LUT > base", RECORDED, RECORDED).text == text
    assert verdict("LUT > 800", REAL, RECORDED).text == "resources.LUT@routed [999, stand-in] > 800"
