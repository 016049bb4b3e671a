"""What a sweep's page shows, as values."""

import pytest
from bskernel.sweeps.analysis.analysis_types import Goals
from bskernel.sweeps.page.sweep_page import make_sweep_page
from support.sweep_records import GOALS, full_sweep, rows
from support.sweep_tables import design, found, row, table


def test_points_that_lie_on_one_another_are_one_mark_with_their_number() -> None:
    (front,) = make_sweep_page(full_sweep()).fronts
    marks = {mark.points: mark.kind for mark in front.marks}
    assert marks[(1, 2)] == "recommended"
    assert marks[(4, 5, 6)] == "dominated"
    assert sorted(at for points in marks for at in points) == list(range(8))


def test_a_mark_counts_points_that_nearly_lie_on_one_another_and_names_the_best_first() -> None:
    near = table(design("behind", 999.99, 300), design("best", 1000, 300), design("small", 10, 1))
    (front,) = make_sweep_page(full_sweep(sweep=near)).fronts
    assert {mark.points for mark in front.marks} == {(1, 0), (2,)}


@pytest.mark.parametrize(
    ("goals", "corners"),
    [
        (Goals(maximize=("throughput",), minimize=("LUT",)), [("small", "good"), ("good", "fast")]),
        (Goals(maximize=("throughput", "LUT")), []),
    ],
)
def test_the_line_steps_around_what_is_dominated(goals: Goals, corners: list[tuple[str, str]]) -> None:
    page = make_sweep_page(full_sweep(goals, table(*rows()[:5])))
    (front,) = page.fronts
    places = {page.rows[at].row.name: (mark.x, mark.y) for mark in front.marks for at in mark.points}
    # Between two points it keeps the height of the first until the second: what is right of it and below is worse.
    assert [place for place in front.line if place not in places.values()] == [
        (places[right][0], places[left][1]) for left, right in corners
    ]


def test_three_objectives_make_three_fronts_without_a_line() -> None:
    goals = Goals(maximize=("throughput", "resources.LUT"), minimize=("fps",))
    points = table(
        *(row(f"p{at}", found("throughput", at), found("resources.LUT", at), found("fps", at)) for at in (1, 2))
    )
    fronts = make_sweep_page(full_sweep(goals, points)).fronts
    assert [(str(one.upwards.metric.name), one.across.metric.name, one.line) for one in fronts] == [
        ("throughput", "resources.LUT", ()),
        ("throughput", "fps", ()),
        ("resources.LUT", "fps", ()),
    ]


def test_the_recommended_point_is_compared_with_the_best_of_each_objective() -> None:
    page = make_sweep_page(full_sweep())
    assert page.recommended is not None
    assert page.recommended.row.name == "good"
    chosen, fast, small = page.alternatives
    assert (chosen.title, chosen.values) == ("recommended", (900, 300))
    assert (fast.title, fast.number, fast.changes) == ("highest throughput", 0, (-0.1, -0.625))
    assert (small.title, small.number, small.changes) == ("lowest LUT", 3, (8.0, 2.0))


def test_a_change_from_zero_has_no_ratio() -> None:
    page = make_sweep_page(full_sweep(sweep=table(design("a", 10, 5), design("b", 5, 0), design("c", 9, 1))))
    assert [one.changes[1] for one in page.alternatives if one.title == "lowest LUT"] == [None]


def test_what_is_left_out_is_grouped_by_its_reason_with_failures_first() -> None:
    groups = make_sweep_page(full_sweep()).left_out
    assert [(group.reason.partition(":")[0], group.points) for group in groups] == [
        ("failed", (9, 10)),
        ("stopped", (11,)),
        ("resources.LUT < 9000 does not hold", (8,)),
    ]


def test_the_verdict_counts_how_points_ended() -> None:
    page = make_sweep_page(full_sweep())
    assert (page.word, page.kind) == ("swept, with failures", "warning")
    assert page.cause == "12 points: 9 ok, 2 failed, 1 stopped; 4 of 8 compared ones are in the Pareto set"
    failed = table(row("a", status="failed", reason="x"))
    assert make_sweep_page(full_sweep(sweep=failed)).word == "failed"
    cut = table(design("a", 1, 1), row("b", status="interrupted"))
    assert make_sweep_page(full_sweep(sweep=cut, status="interrupted")).word == "interrupted"


def test_without_objectives_there_are_all_numbers_and_no_front() -> None:
    page = make_sweep_page(full_sweep(Goals()))
    assert (page.fronts, page.recommended, page.alternatives) == ((), None, ())
    assert [column.title for column in page.columns] == ["throughput [inferences/s]", "LUT"]
    assert [axis.title for axis in page.axes] == ["fps", "part"]


def test_every_number_of_a_point_is_in_the_table_and_a_missing_one_stays_missing() -> None:
    points = table(
        row("a", found("throughput", 5), found("LUT", 7, "synth"), found("LUT", 3)),
        row("b", found("throughput", 6), found("LUT", 2), found("latency", 9, unit="us")),
    )
    page = make_sweep_page(full_sweep(Goals(maximize=("throughput",), minimize=("LUT@estimate",)), points))
    assert [column.title for column in page.columns] == [
        "throughput, estimate", "LUT, estimate", "LUT, latest", "latency [\N{MICRO SIGN}s]",
    ]  # fmt: skip
    assert [[one and one.value for one in line.numbers] for line in page.rows] == [[5, 3, 7, None], [6, 2, 2, 9]]


def test_a_table_of_very_many_points_holds_the_objectives_alone() -> None:
    wide = [found(f"resources.R{at}", 1.0) for at in range(70)]
    points = table(*(row(f"p{at}", found("throughput", at), *wide) for at in range(900)))
    page = make_sweep_page(full_sweep(Goals(maximize=("throughput",)), points))
    assert (page.shortened, len(page.columns)) == (True, 1)
    assert GOALS.maximize == ("throughput",)
