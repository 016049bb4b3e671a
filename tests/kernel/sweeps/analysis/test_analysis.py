"""What a table comes to: which points are compared, the best of them, and which is recommended."""

import math

import msgspec
import pytest
from bskernel.config import SweepSection
from bskernel.core.errors import ConfigError
from bskernel.sweeps.analysis.analysis import assess
from bskernel.sweeps.analysis.analysis_types import Goals, Outcome
from bskernel.sweeps.analysis.table import Row
from hypothesis import given
from hypothesis import strategies as st
from support.sweep_tables import design, digits, found, row, table

from .test_pareto import by_definition

FAST_AND_SMALL = Goals(maximize=("throughput",), minimize=("LUT",))


def names(outcome: Outcome) -> list[str]:
    return [point.name for point in outcome.pareto]


def left_out(outcome: Outcome) -> dict[str, str]:
    return {one.name: one.reason for one in outcome.left_out}


def test_the_pareto_set_of_real_builds() -> None:
    outcome = assess(digits(), Goals(maximize=("throughput",), minimize=("DSP",)))
    # Four targets lead to one design: ties stay.
    assert {point.values for point in outcome.pareto} == {
        (122070.3125, 3),
        (244140.625, 4),
        (488281.25, 7),
        (625e3, 13),
    }
    assert names(outcome)[:4] == ["010k-4.0ns", "025k-4.0ns", "050k-4.0ns", "100k-4.0ns"]
    assert len(outcome.points) == 18
    assert outcome.left_out == ()


_MAYBE = st.one_of(st.none(), st.integers(0, 4))


@given(
    st.lists(st.tuples(_MAYBE, _MAYBE, _MAYBE), max_size=25), st.tuples(st.booleans(), st.booleans(), st.booleans())
)
def test_it_is_that_of_the_points_that_have_all_numbers_in_the_direction_that_is_wanted(
    numbers: list[tuple[int | None, ...]], more_is_better: tuple[bool, ...]
) -> None:
    keys = ("a", "b", "c")
    rows = [
        row(str(at), *(found(key, value) for key, value in zip(keys, values, strict=True) if value is not None))
        for at, values in enumerate(numbers)
    ]
    rows.append(row("whole", *(found(key, 2) for key in keys)))
    goals = Goals(
        maximize=tuple(key for key, more in zip(keys, more_is_better, strict=True) if more),
        minimize=tuple(key for key, more in zip(keys, more_is_better, strict=True) if not more),
    )
    outcome = assess(table(*rows), goals)
    whole = {one.name: [found.value for found in one.quantities] for one in rows if len(one.quantities) == len(keys)}
    costs = [
        [-value if more else value for value, more in zip(values, more_is_better, strict=True)]
        for values in whole.values()
    ]
    wanted = [list(whole)[at] for at in by_definition(costs)]
    assert names(outcome) == wanted
    assert {one.name for one in outcome.left_out} == {str(at) for at, values in enumerate(numbers) if None in values}


def test_a_point_without_a_number_is_named_and_never_counts_as_zero() -> None:
    without_lut = row("b", found("throughput", 900, unit="inferences/s"))
    outcome = assess(table(design("a", 100, 50), without_lut), FAST_AND_SMALL)
    assert names(outcome) == ["a"]
    assert left_out(outcome) == {"b": "resources.LUT@estimate is missing"}
    # It is still the fastest of all: that needs no LUT.
    assert outcome.best[0].point == "b"


def test_a_number_that_is_not_finite_is_none() -> None:
    outcome = assess(table(design("a", 100, 50), design("b", math.inf, 40)), FAST_AND_SMALL)
    assert left_out(outcome) == {"b": "throughput@estimate is missing"}


def test_points_that_did_not_end_well_are_left_out_with_their_reason() -> None:
    points = (
        design("a", 1, 1),
        msgspec.structs.replace(design("b", 9, 0), status="stopped", reason="LUT > 1"),
        row("c", status="failed", reason="step_hls failed"),
        row("d", status="interrupted"),
    )
    outcome = assess(table(*points), FAST_AND_SMALL)
    assert names(outcome) == ["a"]
    assert left_out(outcome) == {"b": "stopped: LUT > 1", "c": "failed: step_hls failed", "d": "interrupted"}


def test_a_point_that_breaks_a_condition_is_no_candidate_and_is_told_by_which_number() -> None:
    goals = msgspec.structs.replace(FAST_AND_SMALL, require=("LUT <= 60", "power < 1"))
    points = (
        design("a", 100, 50),
        design("b", 200, 80),
        row("c", *design("", 1, 1).quantities, found("power", 0.5, unit="W")),
    )
    outcome = assess(table(*points), goals)
    assert names(outcome) == ["c"]
    assert left_out(outcome) == {
        "a": "power < 1 cannot be judged: power is missing",
        "b": "LUT <= 60 does not hold: resources.LUT@estimate is 80",
    }


def test_a_limit_is_judged_at_a_points_own_latest_stage_and_objectives_at_one_stage_for_all() -> None:
    far = row("far", found("LUT", 50), found("LUT", 90, "synth"))
    near = row("near", found("LUT", 60))
    also = row("also", found("LUT", 40), found("LUT", 20, "synth"))
    outcome = assess(table(far, near, also), Goals(minimize=("LUT",), require=("LUT < 80",)))
    assert [str(one.metric) for one in outcome.objectives] == ["LUT@estimate"]
    assert left_out(outcome) == {"far": "LUT < 80 does not hold: LUT@synth is 90"}
    outcome = assess(table(far, near, also), Goals(minimize=("LUT@synth",)))
    assert names(outcome) == ["also"]
    assert left_out(outcome) == {"near": "LUT@synth is missing"}


def test_numbers_of_one_source_are_compared_where_all_points_have_it() -> None:
    first = row("a", found("power", 3, "routed", "W", "toggle_12"), found("power", 2, "routed", "W", "simulated"))
    second = row("b", found("power", 1, "routed", "W", "simulated"), found("power", 9, "routed", "W", "toggle_50"))
    outcome = assess(table(first, second), Goals(minimize=("power",)))
    assert outcome.objectives[0].metric.source == "simulated"
    assert [point.values for point in outcome.points] == [(2,), (1,)]


def test_the_best_of_an_objective_without_conditions_with_each_and_with_all() -> None:
    points = (
        row("fast", found("fps", 100), found("LUT", 90), found("power", 9)),
        row("lean", found("fps", 80), found("LUT", 40), found("power", 5)),
        row("cool", found("fps", 70), found("LUT", 95), found("power", 1)),
        row("both", found("fps", 10), found("LUT", 41), found("power", 2)),
    )
    outcome = assess(table(*points), Goals(maximize=("fps",), require=("LUT < 50", "power < 3")))
    assert [(best.keeping, best.point, best.of, best.change) for best in outcome.best] == [
        ((), "fast", 4, None),
        (("LUT < 50",), "lean", 2, pytest.approx(-0.2)),
        (("power < 3",), "cool", 2, pytest.approx(-0.3)),
        (("LUT < 50", "power < 3"), "both", 1, pytest.approx(-0.9)),
    ]


def test_where_no_point_keeps_a_condition_there_is_no_best_and_no_recommendation() -> None:
    outcome = assess(table(design("a", 1, 1)), msgspec.structs.replace(FAST_AND_SMALL, require=("LUT < 1",)))
    assert outcome.pareto == ()
    assert outcome.recommendation is None
    assert [best.point for best in outcome.best] == ["a", None, "a", None]


def test_of_equally_fast_points_the_best_is_the_smaller() -> None:
    outcome = assess(table(design("a", 9, 5), design("b", 9, 3), design("c", 1, 1)), FAST_AND_SMALL)
    assert outcome.best[0].point == "b"


def test_the_recommendation_is_the_knee_and_says_what_it_costs() -> None:
    points = (design("fast", 1000, 100), design("knee", 995, 62), design("slow", 500, 50), design("bad", 400, 99))
    chosen = assess(table(*points), FAST_AND_SMALL).recommendation
    assert chosen is not None
    assert chosen.point == "knee"
    assert (
        "Against fast, which has the highest throughput: throughput 0.5 % lower (995 instead of 1,000 inferences/s),"
        " resources.LUT 38 % lower (62 instead of 100)." in chosen.reason
    )
    assert "Against slow, which has the lowest resources.LUT: throughput 99 % higher" in chosen.reason


def test_the_recommendation_does_not_depend_on_units() -> None:
    points = digits().rows
    in_mega = [
        msgspec.structs.replace(
            point,
            quantities=tuple(
                msgspec.structs.replace(item, value=item.value * 2.0**-20) if item.name == "throughput" else item
                for item in point.quantities
            ),
        )
        for point in points
    ]
    goals = Goals(maximize=("throughput",), minimize=("DSP", "latency"))
    one, other = assess(table(*points), goals), assess(table(*in_mega), goals)
    assert one.recommendation is not None
    assert other.recommendation is not None
    assert one.recommendation.point == other.recommendation.point


def test_a_point_that_has_all_the_best_is_recommended_for_that() -> None:
    chosen = assess(table(design("a", 9, 1), design("b", 8, 2), design("c", 9, 1)), FAST_AND_SMALL).recommendation
    assert chosen is not None
    assert (chosen.point, chosen.same) == ("a", ("c",))
    assert chosen.reason == "It has the highest throughput and the lowest resources.LUT."


def test_a_choice_among_equally_near_points_is_told() -> None:
    chosen = assess(table(design("a", 9, 9), design("b", 1, 1)), FAST_AND_SMALL).recommendation
    assert chosen is not None
    assert chosen.point == "a"
    assert "2 points are equally near; this is the first of them." in chosen.reason


def with_stand_in(point: Row) -> Row:
    quantities = (point.quantities[0], msgspec.structs.replace(point.quantities[1], source="stand-in:synthesis.json"))
    return msgspec.structs.replace(point, quantities=quantities)


def test_numbers_of_a_stand_in_are_compared_with_no_others() -> None:
    outcome = assess(table(design("a", 9, 5), with_stand_in(design("b", 99, 1))), FAST_AND_SMALL)
    assert names(outcome) == ["a"]
    assert left_out(outcome) == {"b": "resources.LUT@estimate from a stand-in for the tool, not a result"}
    assert outcome.warnings
    assert all(best.point == "a" for best in outcome.best)


def test_where_all_are_of_a_stand_in_everything_is_marked() -> None:
    outcome = assess(table(*map(with_stand_in, (design("a", 9, 5), design("b", 8, 4)))), FAST_AND_SMALL)
    assert outcome.warnings == (
        "all numbers are from a stand-in for a tool, recorded from another design: not results",
    )
    assert all(point.stand_in == ("resources.LUT@estimate",) for point in outcome.pareto)
    assert all(best.stand_in for best in outcome.best)
    assert outcome.recommendation is not None
    assert outcome.recommendation.stand_in
    assert outcome.recommendation.reason.startswith("NOT A RESULT: resources.LUT@estimate from a stand-in")


def test_a_condition_on_a_stand_ins_number_marks_the_point_too() -> None:
    goals = Goals(maximize=("throughput",), require=("LUT < 10",))
    outcome = assess(table(design("a", 9, 5), with_stand_in(design("b", 99, 1))), goals)
    assert names(outcome) == ["a"]
    assert left_out(outcome) == {"b": "LUT < 10 from a stand-in for the tool, not a result"}


@pytest.mark.parametrize(
    ("goals", "message"),
    [
        (Goals(maximize=("thruput",)), "no point has a quantity 'thruput'; did you mean 'throughput'?"),
        (Goals(minimize=("LUT@cad",)), "minimize 'LUT@cad': column 1: unknown stage 'cad'"),
        (Goals(minimize=("LUT + 1",)), "column 5: expected the end, found '+'"),
        (Goals(minimize=("base.LUT",)), "column 1: expected a quantity, e.g. throughput or LUT@synth"),
        (Goals(minimize=("LUT", "resources.LUT")), "resources.LUT@estimate is already an objective"),
        (Goals(maximize=("LUT",), minimize=("LUT",)), "resources.LUT@estimate is already an objective"),
        (Goals(require=("LUT < base",)), "require 'LUT < base': column 7: one build alone has no base"),
        (Goals(require=("LUT",)), "a comparison is needed here"),
    ],
)  # fmt: skip
def test_a_goal_that_is_none_is_refused_with_the_choices(goals: Goals, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        assess(table(design("a", 1, 1)), goals)
    assert message in error.value.message
    assert error.value.hint


def test_a_quantity_in_two_units_is_not_compared() -> None:
    points = table(row("a", found("latency", 1, unit="us")), row("b", found("latency", 2, unit="ms")))
    with pytest.raises(ConfigError, match="latency is in ms at one point, in us at another"):
        assess(points, Goals(minimize=("latency",)))


def test_of_a_sweep_whose_points_all_failed_nothing_is_known_and_nothing_refused() -> None:
    outcome = assess(table(row("a", status="failed", reason="x"), row("b")), Goals(maximize=("anything",)))
    assert left_out(outcome) == {"a": "failed: x", "b": "no metrics"}
    assert outcome.pareto == ()


def test_without_objectives_the_conditions_are_judged_alone() -> None:
    outcome = assess(table(design("a", 1, 1), design("b", 1, 9)), Goals(require=("LUT < 5",)))
    assert [point.name for point in outcome.points] == ["a"]
    assert outcome.pareto == ()
    assert outcome.recommendation is None


def test_goals_are_those_of_the_sweeps_table() -> None:
    section = SweepSection(maximize="throughput", minimize=("LUT", "DSP"), require="LUT < 5")
    assert Goals.of(section) == Goals(maximize=("throughput",), minimize=("LUT", "DSP"), require=("LUT < 5",))
