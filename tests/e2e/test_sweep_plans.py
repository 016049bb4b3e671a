"""`bskernel plan` of a sweep: its points and distinct steps, and which of them a build has made already."""

import json
from pathlib import Path
from typing import Any

import pytest

CONFIG = """
[build]
model = "number.txt"
flow = "three.toml"
{sweep}
"""
SWEEP = """
[sweep.grid]
"step.second.parameters.number" = [1, 2]
"step.third.parameters.number" = { from = 5, to = 7, step = 1 }
"""
FLOW = "".join(f'[[step]]\nname = "{name}"\nentry = "testing:add"\n' for name in ("first", "second", "third"))


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "number.txt").write_text("1")
    (tmp_path / "three.toml").write_text(FLOW)
    (tmp_path / "base.toml").write_text(CONFIG.format(sweep=""))
    (tmp_path / "sweep.toml").write_text(CONFIG.format(sweep=SWEEP))
    return str(tmp_path / "sweep.toml")


def test_a_sweep_is_shown_by_points_and_distinct_steps(cli: Any, config: str) -> None:
    done = cli("plan", config)
    assert done.returncode == 0, done.stderr
    assert "sweep number: 6 points" in done.stdout
    assert "step.second.parameters.number = 2, step.third.parameters.number = 7" in done.stdout
    assert "steps in all points: 18; distinct: 9, of which 0 are cached" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()[-3:]]
    assert rows == [["first", "6", "1", "0"], ["second", "6", "2", "0"], ["third", "6", "6", "0"]]


def test_what_a_build_made_is_cached_for_every_point_that_has_it(cli: Any, config: str, tmp_path: Path) -> None:
    # The default of `number` is 1.
    built = cli("run", str(tmp_path / "base.toml"), "--set", "step.third.parameters.number=6")
    assert built.returncode == 0, built.stderr
    told = json.loads(cli("plan", config, "--json").stdout)
    assert (len(told["points"]), told["steps"], told["distinct"], told["cached"]) == (6, 18, 9, 3)
    cached = {
        (node["step"], node["parameters"].get("number", 1)): node["points"]
        for node in told["nodes"]
        if node["cached"]
    }
    assert cached == {("first", 1): 6, ("second", 1): 3, ("third", 6): 1}
    for point in told["points"]:
        assert [told["nodes"][node]["step"] for node in point["nodes"]] == ["first", "second", "third"]


def test_the_graph_of_a_sweep_is_that_of_its_distinct_steps(cli: Any, config: str) -> None:
    text = cli("plan", config, "--graph", "text").stdout
    assert text.count("testing@1") == 9
    assert "second (2 of 2)" in text
    assert "third (6 of 6)" in text
    last = text.partition("third (6 of 6)")[2]
    assert "second (2 of 2)" in last
    assert "flowchart TD" in cli("plan", config, "--graph", "mermaid").stdout
    assert cli("plan", config, "--graph", "svg").stdout.startswith("<svg")


def test_run_builds_the_file_alone_says_so_and_records_no_sweep(cli: Any, config: str, tmp_path: Path) -> None:
    done = cli("run", config)
    assert done.returncode == 0, done.stderr
    assert "sweep.toml: [sweep] is ignored; `bskernel sweep` builds its points" in done.stderr
    kept = json.loads((tmp_path / "build" / "number" / "config.json").read_text())
    assert "sweep" not in kept
    assert "sweep" not in cli("run", str(tmp_path / "base.toml"), "--output", "base").stderr


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ('sweep.require="LUT <"', "sweep.require: LUT <: column 6"),
        ('sweep.maximize="LUT@"', "sweep.maximize: LUT@: column 4"),
        ("sweep.search={ trials = 2 }", "sweep.search: needs an objective"),
    ],
)
def test_goals_that_are_none_are_refused_before_anything_is_planned(
    cli: Any, config: str, setting: str, told: str
) -> None:
    done = cli("plan", config, "--set", setting)
    assert done.returncode == 2
    assert told in done.stderr


def test_a_sweep_that_is_too_large_ends_with_the_exit_code_of_a_wrong_config(cli: Any, config: str) -> None:
    done = cli("plan", config, "--set", "sweep.max_points=5")
    assert done.returncode == 2
    assert "6 points exceed [sweep] max_points = 5" in done.stderr
