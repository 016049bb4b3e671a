"""Points chosen by an optimizer: of functions whose best points are known."""

import math
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from bskernel.config import SearchSection, Span, SweepSection
from bskernel.core.errors import ConfigError
from bskernel.sweeps.analysis.analysis import assess
from bskernel.sweeps.analysis.analysis_types import Goals
from bskernel.sweeps.analysis.table import Row
from bskernel.sweeps.search.optuna_search import SearchOutcome, search
from support.paths import TESTS
from support.sweep_tables import found, row

Settings = dict[str, Any]


def span(start: float, end: float, **more: Any) -> Span:
    return Span(start=start, end=end, **more)


class Builds:
    """Builds points by a function, and notes which and in what batches."""

    def __init__(self, build: Callable[[Settings], Row]) -> None:
        self._build = build
        self.batches: list[list[Settings]] = []

    def __call__(self, settings: Sequence[Settings]) -> Sequence[Row]:
        self.batches.append(list(settings))
        # Whoever is done first: the last one.
        made = {at: self._build(one) for at, one in reversed(list(enumerate(settings)))}
        return [made[at] for at in range(len(settings))]

    @property
    def points(self) -> list[Settings]:
        return [one for batch in self.batches for one in batch]


def name(settings: Settings) -> str:
    return "-".join(str(value) for value in settings.values())


def folded(settings: Settings) -> Row:
    """A design with PE and SIMD units: with more of both it is faster and larger; unequal ones only cost."""
    pe, simd, clock = settings["pe"], settings["simd"], settings["clock"]
    fps = 1000 * min(pe, simd) * clock
    lut = 50 * pe * simd + 10 * abs(pe - simd) ** 2 + 3 * clock**2
    return row(name(settings), found("throughput", fps), found("resources.LUT", lut), **settings)


FOLDS = {"pe": span(1, 32), "simd": span(1, 32), "clock": span(1.0, 10.0)}


def section(trials: int, seed: int = 0, grid: Any = FOLDS, **more: Any) -> SweepSection:
    how = {key: more.pop(key) for key in ("batch", "sampler") if key in more}
    goals = {"maximize": "throughput", "minimize": "LUT"} | more
    return SweepSection(grid=grid, search=SearchSection(trials=trials, seed=seed, **how), **goals)


def searched(
    what: SweepSection, build: Callable[[Settings], Row] = folded, keeps: Callable[[Settings], bool] = lambda _: True
) -> tuple[SearchOutcome, Builds]:
    builds = Builds(build)
    return search(what, name="digits", where="build.toml: sweep", keeps=keeps, run_points=builds), builds


def dominated_area(points: Sequence[Row]) -> float:
    """The area below the front of throughput over LUT, up to 320,000 and 60,000."""
    values = [(item.quantities[1].value, item.quantities[0].value) for item in points]
    area, best, before = 0.0, 0.0, 0.0
    for lut, fps in sorted(values):
        if lut > 60_000:
            break
        area += best * (lut - before)
        best, before = max(best, fps), lut
    return area + best * (60_000 - before)


@pytest.mark.parametrize(("sampler", "trials", "seeds", "better"), [("tpe", 80, 4, 1.1), ("nsga2", 200, 8, 1.02)])
def test_it_finds_more_of_the_pareto_set_than_chance_does_with_the_same_budget(
    sampler: Any, trials: int, seeds: int, better: float
) -> None:
    # The seeds are given, so these are always the same sums.
    def areas(sampler: Any) -> float:
        results = [searched(section(trials, seed, sampler=sampler))[0] for seed in range(seeds)]
        return sum(dominated_area(result.table.rows) for result in results)

    assert areas(sampler) > better * areas("random")


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", "random"])
def test_equal_seeds_try_equal_points_whichever_is_done_first(sampler: Any) -> None:
    first, builds = searched(section(24, 3, sampler=sampler))
    again, builds_again = searched(section(24, 3, sampler=sampler))
    assert builds.batches == builds_again.batches
    assert first == again
    other, _ = searched(section(24, 4, sampler=sampler))
    assert other.table != first.table


def test_another_process_tries_the_same_points_and_says_nothing() -> None:
    script = (
        "from kernel.sweeps.search.test_optuna_search import searched, section\n"
        "print([row.name for row in searched(section(12, 5))[0].table.rows])"
    )
    call = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(call, capture_output=True, text=True, check=True, cwd=TESTS)
    assert done.stderr == ""
    assert done.stdout == f"{[one.name for one in searched(section(12, 5))[0].table.rows]}\n"


def test_points_are_built_in_batches_and_as_many_as_wanted() -> None:
    result, builds = searched(section(11, batch=4))
    assert [len(batch) for batch in builds.batches] == [4, 4, 3]
    assert len(result.table.rows) == 11
    assert [one.settings for one in result.table.rows] == builds.points
    assert [trial.settings for trial in result.trials if not trial.again] == builds.points
    assert (result.ended, result.table.name, result.table.keys) == ("trials", "digits", ("pe", "simd", "clock"))


def test_ranges_give_numbers_between_their_ends_whole_ones_where_both_are() -> None:
    grid = {"fps": span(10, 100_000, log=True), "clock": span(2.5, 10.0), "part": ("a", "b"), "n": span(1, 9, step=4)}
    kinds = row("", found("throughput", 1), found("LUT", 1)).quantities
    _, builds = searched(section(60, grid=grid, sampler="random"), lambda one: row(name(one), *kinds, **one))
    points = builds.points
    assert all(isinstance(one["fps"], int) and 10 <= one["fps"] <= 100_000 for one in points)
    assert sum(one["fps"] < 1000 for one in points) == pytest.approx(30, abs=12)
    assert all(isinstance(one["clock"], float) and 2.5 <= one["clock"] <= 10 for one in points)
    assert all(len(repr(one["clock"]).replace(".", "")) <= 6 for one in points)
    assert {one["part"] for one in points} == {"a", "b"}
    assert {one["n"] for one in points} == {1, 5, 9}


def test_keys_of_zip_change_together() -> None:
    what = SweepSection(
        grid={"pe": (1, 2)}, zip={"bits": (2, 4, 8), "model": ("w2", "w4", "w8")},
        maximize="throughput", search=SearchSection(trials=6),
    )  # fmt: skip
    _, builds = searched(what, lambda one: row(name(one), found("throughput", one["bits"] * one["pe"]), **one))
    assert sorted((one["pe"], one["bits"], one["model"]) for one in builds.points) == [
        (pe, bits, f"w{bits}") for pe in (1, 2) for bits in (2, 4, 8)
    ]


def test_a_small_grid_is_tried_whole_each_point_once_and_then_the_search_ends() -> None:
    grid = {"pe": (1, 2, 4, 8), "simd": (1, 2, 4), "clock": (5,)}
    result, builds = searched(section(50, grid=grid))
    assert len(builds.points) == 12
    assert len({name(one) for one in builds.points}) == 12
    assert result.ended == "exhausted"
    assert any(trial.again for trial in result.trials)
    assert all(trial.point is not None for trial in result.trials)


def test_values_that_are_given_twice_are_one_and_true_is_not_1() -> None:
    grid: Any = {"pe": (1, 1, 2), "deep": (True, 1), "folds": ([1], [1], {"a": 1})}
    build = lambda one: row(name(one), found("throughput", one["pe"]), **one)  # noqa: E731
    _, builds = searched(SweepSection(grid=grid, maximize="throughput", search=SearchSection(trials=99)), build)
    assert len(builds.points) == 2 * 2 * 2


def test_no_point_is_built_that_when_leaves_out() -> None:
    result, builds = searched(section(30), keeps=lambda one: bool(one["pe"] >= one["simd"]))
    assert len(builds.points) == 30
    assert all(one["pe"] >= one["simd"] for one in builds.points)
    left_out = [trial for trial in result.trials if trial.point is None]
    assert left_out
    assert all(trial.settings["pe"] < trial.settings["simd"] for trial in left_out)


def test_where_when_leaves_nothing_out_of_which_to_choose_the_search_ends() -> None:
    result, builds = searched(section(30, grid={"pe": (1, 2), "simd": (1, 2), "clock": (5,)}), keeps=lambda _: False)
    assert builds.batches == []
    assert (result.table.rows, result.ended) == ((), "exhausted")


def test_it_learns_which_points_are_not_allowed() -> None:
    result, _ = searched(section(80, require=("LUT < 5000", "throughput > 10000")))
    numbers = [[item.value for item in one.quantities] for one in result.table.rows]
    allowed = [fps > 10000 and lut < 5000 for fps, lut in numbers]
    assert sum(allowed[40:]) > 2 * sum(allowed[:20])
    assert sum(allowed[40:]) > 25


def test_points_that_were_stopped_are_told_as_not_allowed() -> None:
    def stopping(settings: Settings) -> Row:
        built = folded(settings)
        lut = built.quantities[1]
        if lut.value < 5000:
            return built
        # Its throughput was never known.
        return row(built.name, lut, status="stopped", reason="requires LUT < 5000", **settings)

    result, _ = searched(section(80, require="LUT < 5000"), stopping)
    allowed = [one.status == "ok" for one in result.table.rows]
    assert sum(allowed[40:]) > 2 * sum(allowed[:20])
    assert sum(allowed[40:]) > 25


def test_points_that_fail_or_lack_a_number_do_not_end_the_search() -> None:
    def failing(settings: Settings) -> Row:
        built = folded(settings)
        if settings["pe"] % 3 == 0:
            return row(built.name, status="failed", reason="it is a multiple of 3", **settings)
        return row(built.name, built.quantities[0], **settings) if settings["pe"] % 5 == 0 else built

    result, _ = searched(section(40), failing)
    assert len(result.table.rows) == 40
    outcome = assess(result.table, Goals(maximize=("throughput",), minimize=("LUT",)))
    assert outcome.pareto
    assert {one.name for one in outcome.left_out} == {
        one.name for one in result.table.rows if one.settings["pe"] % 3 == 0 or one.settings["pe"] % 5 == 0
    }


@pytest.mark.parametrize("status", ["failed", "stopped"])
def test_where_no_point_ends_well_it_goes_on_to_the_end(status: str) -> None:
    build = lambda one: row(name(one), status=status, **one)  # noqa: E731
    result, _ = searched(section(20, require="LUT < 5"), build)
    assert len(result.table.rows) == 20
    assert result.ended == "trials"


@pytest.mark.parametrize("lost", [True, False])
def test_an_interrupt_ends_it_with_what_there_is(lost: bool) -> None:
    builds = Builds(folded)

    def run_points(settings: Sequence[Settings]) -> Sequence[Row]:
        rows = list(builds(settings))
        if len(builds.batches) < 3:
            return rows
        return (
            rows[:1]
            if lost
            else [*rows[:1], *(row(one.name, status="interrupted", **one.settings) for one in rows[1:])]
        )

    result = search(section(40), name="digits", where="x", keeps=lambda _: True, run_points=run_points)
    assert result.ended == "interrupted"
    assert len(builds.batches) == 3
    assert sum(one.status == "ok" for one in result.table.rows) == 9


def test_one_objective_is_enough() -> None:
    build = lambda one: row(name(one), found("loss", (one["x"] - 3) ** 2), **one)  # noqa: E731
    what = SweepSection(grid={"x": span(-10.0, 10.0)}, minimize="loss", search=SearchSection(trials=60))
    result, _ = searched(what, build)
    best = assess(result.table, Goals(minimize=("loss",))).pareto[0]
    assert math.sqrt(best.values[0]) < 0.5


@pytest.mark.parametrize(
    ("what", "message"),
    [
        (section(9, minimize=(), maximize=()), "needs an objective"),
        (section(9, grid={}), "nothing to choose from"),
    ],
)
def test_a_search_without_a_goal_or_a_choice_is_refused_before_anything_runs(
    what: SweepSection, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        searched(what)


@pytest.mark.parametrize("goals", [{"maximize": "thruput"}, {"require": "lutt < 5"}])
def test_a_metric_that_is_none_is_refused_after_the_first_batch(goals: Any) -> None:
    builds = Builds(folded)
    with pytest.raises(ConfigError, match="no point has a quantity"):
        search(section(40, **goals), name="digits", where="x", keeps=lambda _: True, run_points=builds)
    assert len(builds.batches) == 1


def test_without_optuna_it_is_said_which_extra_to_install() -> None:
    script = (
        "import sys; sys.modules['optuna'] = None\n"
        "from kernel.sweeps.search.test_optuna_search import searched, section\n"
        "from bskernel.core.errors import EnvironmentLacking\n"
        "try: searched(section(1))\n"
        "except EnvironmentLacking as error: print(error.message, error.hint)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=TESTS)
    assert done.stdout == "a search needs Optuna pip install 'bskernel[search]'\n"
