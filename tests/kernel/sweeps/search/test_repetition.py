"""Points in rounds: of functions whose rounds are known."""

from collections.abc import Sequence
from typing import Any

import pytest
from bskernel.config import Loop
from bskernel.core.errors import ConfigError
from bskernel.flow.loader import shipped_flow, shipped_loops
from bskernel.sweeps.analysis.repetitions import Repetition
from bskernel.sweeps.analysis.table import Row
from bskernel.sweeps.search.repetition import RoundResult, find_loop, repeat
from support.sweep_tables import found, row

LOOP = Loop(summary="less each time", result="left.json", into="fold.left", until="budget.worst <= 1")
KEY = "step.fold.inputs.left"
Settings = dict[str, Any]


class Halved:
    """Each round has half of what its last one had. Its result is named like the point."""

    def __init__(self, *, least: float = 0, has_results: bool = True, failing: float = 0, until: int = 99) -> None:
        self.least, self.has_results, self.failing, self.until = least, has_results, failing, until
        self.batches: list[list[Settings]] = []

    def build(self, settings: Settings) -> Row:
        worst = max(float(settings.get(KEY, settings.get("start", 4) * 2)) / 2, self.least)
        status = "failed" if worst <= self.failing else "ok"
        return row(f"p{worst:g}", found("budget.worst", worst, "synth"), status=status, **settings)

    def __call__(self, settings: Sequence[Settings]) -> Sequence[Row]:
        self.batches.append(list(settings))
        return [self.build(one) for one in settings] if len(self.batches) < self.until else []

    def result_of(self, one: Row) -> RoundResult | None:
        text = one.name.removeprefix("p")
        return RoundResult(path=text, digest=text) if self.has_results else None


def repeated(builds: Halved, *starts: float, rounds: int = 5) -> tuple[Repetition, ...]:
    first = [builds.build({"start": start}) for start in starts]
    return repeat("fit", LOOP, first, rounds=rounds, run_points=builds, result_of=builds.result_of)


def test_rounds_go_on_until_the_condition_holds_each_with_what_the_last_one_made() -> None:
    builds = Halved()
    (one,) = repeated(builds, 4)
    assert (one.ended, one.points) == ("met", ("p4", "p2", "p1"))
    assert builds.batches == [[{"start": 4, KEY: "4"}], [{"start": 4, KEY: "2"}]]


def test_points_that_are_done_are_built_no_more_and_the_others_share_a_batch() -> None:
    builds = Halved()
    assert [one.ended for one in repeated(builds, 1, 2, 4)] == ["met"] * 3
    assert [len(batch) for batch in builds.batches] == [2, 1]


@pytest.mark.parametrize(
    ("builds", "rounds", "ended", "number"),
    [
        (Halved(), 2, "rounds", 2),
        (Halved(least=2), 5, "unchanged", 3),
        (Halved(failing=2), 5, "failed", 2),
        (Halved(has_results=False), 5, "failed", 1),
        (Halved(until=1), 5, "interrupted", 1),
    ],
)
def test_rounds_that_lead_nowhere_end_and_say_why(builds: Halved, rounds: int, ended: str, number: int) -> None:
    (one,) = repeated(builds, 4, rounds=rounds)
    assert (one.ended, len(one.points)) == (ended, number)
    assert one.reason


def test_a_round_without_the_number_is_not_taken_for_one_that_keeps_the_condition() -> None:
    builds = Halved()
    (one,) = repeat("fit", LOOP, [row("p")], rounds=5, run_points=builds, result_of=builds.result_of)
    assert (one.ended, builds.batches) == ("unjudged", [])
    assert "budget.worst" in one.reason


def test_a_loop_that_the_flow_has_not_is_refused_with_those_it_has() -> None:
    with pytest.raises(ConfigError, match="no loop 'fitt'") as error:
        find_loop({"fit": LOOP}, "fitt", "build.toml: sweep", "open", others={})
    assert "fit" in str(error.value.hint)


def test_a_flow_without_loops_is_told_which_flows_have_the_one_that_is_asked_for() -> None:
    others = {"open": ["fit"], "ecp5": ["fit", "more"], "odd": ["more"]}
    with pytest.raises(ConfigError) as error:
        find_loop({}, "fit", "build.toml: sweep", "rtl", others=others)
    assert error.value.hint == "flows with it: open, ecp5"


def test_the_shipped_flows_that_end_in_a_synthesised_design_have_the_loop_fit() -> None:
    has_fit = {flow for flow, loops in shipped_loops().items() if "fit" in loops}
    assert {"open", "netlist", "ecp5", "ecp5-checked", "ice40", "ice40-checked"} <= has_fit
    assert has_fit.isdisjoint({"estimate", "rtl", "calibrate", "calibrate-lattice"})


def test_builds_for_devices_of_lattice_are_calibrated_by_a_flow_of_their_own() -> None:
    named = {name: shipped_flow(name).calibration for name in ("open", "ecp5", "ice40-checked", "board")}
    lattice = "calibrate-lattice"
    assert named == {"open": "", "ecp5": lattice, "ice40-checked": lattice, "board": lattice}
    collection = shipped_flow(lattice).collection
    assert collection is not None
    assert collection == shipped_flow("calibrate").collection
