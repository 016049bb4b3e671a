"""The campaign itself: it notices what is planted, counts, and repeats what it reports."""

import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from support.paths import TESTS

from chaos.executor.chaos_steps import entries  # noqa: F401 - its modules fill the list
from chaos.executor.chaos_steps.behaviour import BEHAVIOURS
from chaos.figures import FIGURES
from chaos.fuzz.decoders import DECODERS
from chaos.fuzz.mutation import damage, damage_value
from chaos.kind import Trial, parse_replay
from chaos.kinds import KINDS
from chaos.models import BATCH, judge
from chaos.report import Finding, Known, Report, Row, as_json, as_text, known_violations, make_report
from chaos.site import Site

Run = Callable[..., "subprocess.CompletedProcess[str]"]
KEPT = {"planted/kept", "planted/slow"}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("site")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "chaos.planted_kinds", "--site", str(folder), *arguments]
        return subprocess.run(command, cwd=TESTS, capture_output=True, text=True, check=False)

    return run


def read(path: Path) -> Report:
    return msgspec.json.decode(path.read_bytes(), type=Report)


def test_every_planted_violation_is_found_counted_and_ends_with_1(planted: Run, tmp_path: Path) -> None:
    done = planted("--ci", "--report", str(tmp_path / "report.json"))
    rows = {row.kind: row for row in read(tmp_path / "report.json").rows}
    assert done.returncode == 1
    assert {name for name, row in rows.items() if not row.violations} == {*KEPT, "planted/unable"}, done.stdout
    assert rows["planted/kept"].tried == 3
    assert rows["planted/unable"].unable == "no such thing here"
    assert "planted/process" in done.stdout
    assert "again: make chaos CHAOS='--replay planted/process:1:0'" in done.stdout


def test_kept_promises_end_with_0_and_another_seed_draws_something_else(planted: Run, tmp_path: Path) -> None:
    assert planted("--kinds", "planted/kept", "--tries", "2", "--seed", "7").returncode == 0


def test_a_violation_is_repeated_by_its_name(planted: Run) -> None:
    done = planted("--replay", "planted/silence:5:3")
    assert done.returncode == 1
    assert "violation planted/silence:5:3" in done.stdout


def test_a_kind_that_is_none_is_refused_with_the_choices(planted: Run) -> None:
    done = planted("--kinds", "none")
    assert done.returncode == 1
    assert "planted/kept" in done.stderr


def test_a_trial_draws_the_same_again_and_another_draws_something_else(tmp_path: Path) -> None:
    def draw(seed: int, number: int) -> float:
        return Trial("a/b", seed, number, tmp_path, Site(tmp_path)).rng.random()

    assert draw(1, 2) == draw(1, 2)
    assert len({draw(1, 2), draw(1, 3), draw(2, 2)}) == 3


def test_as_many_trials_as_items_try_each_once(tmp_path: Path) -> None:
    items = list(range(50))
    dealt = [Trial("a/b", 3, number, tmp_path, Site(tmp_path)).deal(items) for number in range(50)]
    assert Counter(dealt) == Counter(items)
    assert dealt != items


def test_names_of_replays_are_read_back(tmp_path: Path) -> None:
    trial = Trial("kills/kernel-docker", -4, 12, tmp_path, Site(tmp_path))
    assert parse_replay(trial.replay) == ("kills/kernel-docker", -4, 12)
    with pytest.raises(ValueError, match="KIND:SEED:NUMBER"):
        parse_replay("kills")


def test_a_report_counts_and_a_known_violation_is_counted_but_not_unknown() -> None:
    finding = Finding(replay="a/b:1:0", item="item-1", breach="wrong", message="it broke")
    row = Row(kind="a/b", promise="it holds", tried=3, violations=[finding])
    known = Known(kind="a/b", item="item-*", reason="not yet")
    report = Report(seed=1, seconds=2.0, rows=(row,), figures=(), known=(known,))
    assert (report.violations, report.unknown) == (1, 0)
    assert msgspec.structs.replace(report, known=(Known(kind="a/b", item="other", reason="no"),)).unknown == 1
    text = as_text(report)
    assert "a/b       3            2  1 (1 wrong)" in text
    assert "known violation of a/b (item-*): not yet" in text
    assert msgspec.json.decode(as_json(report), type=Report).violations == 1


def test_figures_count_what_they_promise_and_name_what_else_broke() -> None:
    findings = [Finding(replay="r", item="", breach=breach, message="") for breach in ("wrong", "hang")]
    rows = [Row(kind="power/building", promise="", tried=5, violations=findings), Row(kind="fuzz/x", promise="")]
    healed, wrong = make_report(1, 0, rows).figures
    assert (healed.tried, healed.broken, healed.otherwise) == (5, 1, 1)
    assert (wrong.tried, wrong.broken, wrong.goal) == (5, 1, 100)
    assert f"{wrong.figure}: 1 of 5 (goal: 0 of 100); 1 broke another promise" in as_text(make_report(1, 0, rows))


def test_the_volumes_of_the_kinds_reach_every_figure() -> None:
    batches = {f"fuzz/{decoder.name}": decoder.batch for decoder in DECODERS} | {"models/damaged": BATCH}
    for figure in FIGURES:
        chosen = [kind for kind in KINDS if figure.counts(kind.name)]
        assert sum(kind.volume * batches.get(kind.name, 1) for kind in chosen) >= figure.goal, figure.name


def test_known_violations_name_kinds_that_exist_and_say_why() -> None:
    names = {kind.name for kind in KINDS}
    assert {item.kind for item in known_violations()} <= names
    assert all(item.reason for item in known_violations())
    assert make_report(1, 0, []).known == ()


def test_kinds_have_names_of_their_own_and_promises() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert all(kind.promise for kind in KINDS)


def test_there_are_more_than_150_hostile_behaviours() -> None:
    assert len(BEHAVIOURS) >= 150


def test_damage_is_the_same_for_the_same_seed_and_mostly_changes_something() -> None:
    seeds = [b"one message", b"another one"]
    drawn = [damage(random.Random(number), seeds) for number in range(200)]
    assert drawn == [damage(random.Random(number), seeds) for number in range(200)]
    assert sum(data not in seeds for data in drawn) > 150
    value = {"a": [1, {"b": "c"}], "d": None}
    assert sum(damage_value(random.Random(number), value) != value for number in range(100)) > 80


@pytest.mark.parametrize(
    ("category", "message", "breach"),
    [
        ("model", "no node", None),
        ("model", " ", "unclear"),
        ("crash", "SIGSEGV", "unclear"),
        ("timeout", "4 h", "hang"),
    ],
)
def test_a_damaged_model_must_end_as_a_failure_that_says_what_is_wrong_with_it(
    tmp_path: Path, category: str, message: str, breach: str | None
) -> None:
    result = tmp_path / "build" / "damaged" / "result.json"
    result.parent.mkdir(parents=True)
    result.write_text(json.dumps({"failure": {"category": category, "message": message, "cause": []}}))
    found = judge(tmp_path)
    assert (found.breach if found else None) == breach
