"""The benchmark's gate: what counts as worse than before, and on which machine it is compared."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.paths import ROOT

BENCHMARKS = ROOT / "benchmarks"
# Runs the gate with figures that are given, in place of measuring for minutes: ratios, by their turn.
GIVEN = """
import json, sys
sys.path.insert(0, sys.argv.pop(1))
given = json.loads(sys.argv.pop(1))
import run
from measurement import Row
def part(folder, runs, used=()):
    ratio = given.pop(0)
    return [Row(group="g", what="w", value=ratio, unit="s", runs=runs, against="one", ratio=ratio)]
run.trivial_steps, run.networks, run.machine = part, lambda models, used: lambda *_: [], lambda: given_machine
given_machine = "2026-11-25, 2 processors, x86_64, Linux 6, Python 3.11.7"
run.main()
print("left", len(given))
"""


@pytest.fixture
def measurement(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import measurement

    return measurement


Worsened = Callable[[Sequence[tuple[str, float | None]], Sequence[Mapping[str, Any]]], set[str]]


@pytest.fixture
def worsened(measurement: Any) -> Worsened:
    def names(rows: Sequence[tuple[str, float | None]], before: Sequence[Mapping[str, Any]]) -> set[str]:
        made = [
            measurement.Row(group="g", what=name, value=1.0, unit="s", runs=3, ratio=ratio) for name, ratio in rows
        ]
        return {what for _, what in measurement.worsened(made, before, 1.2)}

    return names


def test_a_ratio_that_grows_by_more_than_a_fifth_is_worse(worsened: Worsened) -> None:
    before = [{"group": "g", "what": name, "ratio": 0.5} for name in ("a", "b", "c")]
    assert worsened([("a", 0.59), ("b", 0.61), ("c", 0.1)], before) == {"b"}


def test_what_has_no_ratio_now_or_before_is_compared_with_nothing(worsened: Worsened) -> None:
    before = [{"group": "g", "what": "a", "value": 1.0}, {"group": "other", "what": "b", "ratio": 0.1}]
    assert worsened([("a", 9.0), ("b", 9.0), ("c", 9.0)], before) == set()
    assert worsened([("a", None)], [{"group": "g", "what": "a", "ratio": 0.5}]) == set()


def test_another_date_commit_or_system_is_the_same_machine_and_other_processors_or_python_are_not(
    measurement: Any,
) -> None:
    text = "2026-11-25, bskernel at f803748, 2 processors, x86_64, Linux 6.18, Python 3.11.7, load before 0.7"
    same = text.replace("f803748", "1234567").replace("6.18", "6.19").replace("0.7", "3.1")
    assert measurement.same_machine(text, same)
    for one, other in (("2 processors", "4 processors"), ("x86_64", "aarch64"), ("3.11.7", "3.11.9")):
        assert not measurement.same_machine(text, text.replace(one, other))


def gate(folder: Path, ratios: list[float], before: Mapping[str, Any]) -> tuple[int, str]:
    known = folder / "before.json"
    known.write_text(json.dumps(before))
    command = [sys.executable, "-c", GIVEN, str(BENCHMARKS), json.dumps(ratios), "--quick", "--against", str(known)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)
    assert done.returncode in {0, 1}, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout


@pytest.mark.parametrize(
    ("ratios", "code"),
    [([0.4], 0), ([0.59], 0), ([0.7, 0.5], 0), ([0.7, 0.7], 1)],
    ids=["better", "near", "once", "worse"],
)
def test_the_gate_fails_for_what_is_worse_twice(tmp_path: Path, ratios: list[float], code: int) -> None:
    machine = "2025-01-01, 2 processors, x86_64, Linux 5, Python 3.11.7"
    rows = [{"group": "g", "what": "w", "ratio": 0.5}]
    ended, text = gate(tmp_path, ratios, {"machine": machine, "rows": rows})
    assert ended == code
    assert ("worse: g: w: 0.700 x one, +40%; it was 0.500 x" in text) is (code == 1)


def test_figures_of_another_machine_are_compared_with_nothing_and_that_is_said(tmp_path: Path) -> None:
    machine = "2025-01-01, 8 processors, x86_64, Linux 5, Python 3.11.7"
    rows = [{"group": "g", "what": "w", "ratio": 0.5}]
    ended, text = gate(tmp_path, [0.9], {"machine": machine, "rows": rows})
    assert ended == 0
    assert "nothing is compared" in text


def test_a_missed_goal_has_the_share_of_bare_mechanisms_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import bounds
    from measurement import Goal, Row, goals
    from mechanisms import CHAINED

    def chain(steps: float, goal: float) -> Row:
        to_reach = Goal(goal, "steps/s", at_least=True)
        return Row(
            group="a chain of 10000 steps", what="run, cold", value=steps, unit="steps/s", runs=1, goal=to_reach
        )

    def bare(ms: float, group: str = "a chain of 10000 steps") -> Row:
        return Row(group=group, what=CHAINED, value=ms, unit="ms", runs=1)

    missed, met, *_ = bounds.beside([chain(200, 400), chain(200, 100), bare(3.0)])
    assert missed.bound == f"0.60 of it, 1.20 of the goal: 1 x {CHAINED}"
    assert not met.bound
    assert missed.bound in goals([missed, met], "a machine")
    assert not bounds.beside([chain(200, 400)])[0].bound
    others = [bare(9.0, "a chain of 100 steps"), bare(3.0), bare(9.0, "one more step, process")]
    assert bounds.beside([chain(200, 400), *others])[0] == missed
    assert not bounds.beside([chain(200, 400), others[0], others[2]])[0].bound
    (fault,) = (row for row in bounds.beside([chain(200, 400), bare(6.0)]) if row.bound)
    assert fault.bound.startswith("1.20 of it, 2.40 of the goal"), "more than the figure is a fault of measuring"


def test_an_action_that_measures_itself_is_taken_at_its_word_in_its_turn(measurement: Any) -> None:
    turn = []

    def timed() -> list[float]:
        turn.append("timed")
        return [float(len(turn)), 7.0]

    actions = {"other": lambda: turn.append("other"), "any": measurement.SelfTimed(("one", "two"), timed)}
    taken = measurement.medians(actions, 3)
    assert turn == ["other", "timed"] * 3
    assert taken.keys() == {"other", "one", "two"}
    assert (taken["one"], taken["two"]) == (4.0, 7.0)


@pytest.mark.parametrize("jobs", [1, 2])
def test_bare_steps_leave_their_results_and_a_time(tmp_path: Path, jobs: int) -> None:
    command = [sys.executable, str(BENCHMARKS / "bare_steps.py"), "5", str(jobs), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert 0 < float(done.stdout) < 10
    assert not done.stderr
    expected = {b"5", b"6", b"8", b"11", b"15"} if jobs == 1 else {b"5", b"6", b"7", b"8", b"9"}
    assert {path.read_bytes() for path in (tmp_path / "blobs").iterdir()} == expected
    assert len(list((tmp_path / "actions").iterdir())) == 5
    assert not list((tmp_path / "steps").iterdir())
