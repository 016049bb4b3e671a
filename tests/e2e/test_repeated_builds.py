"""[sweep] repeat: a result of each round is an input of the next, until a condition holds."""

import json
from pathlib import Path
from typing import Any

import pytest
from support.builds import write

CONFIG = """
[build]
name = "b"
model = "number.txt"
flow = "flow.toml"
"""
FLOW = """
[[step]]
name = "grow"
entry = "testing:add"
parameters = { number = 10 }
[[step]]
name = "other"
entry = "testing:add"
[[step]]
name = "metrics"
entry = "testing:tell"
[loop.large]
summary = "ten more each time"
result = "model"
into = "grow.model"
until = "number >= 40"
show = ["number"]
hint = "say what grows"
"""


def prepare(folder: Path, sweep: str, flow: str = FLOW) -> str:
    (folder / "flow.toml").write_text(flow)
    return write(folder, CONFIG, sweep)


def sweep_of(folder: Path) -> Any:
    return json.loads((folder / "build" / "b-sweep" / "sweep.json").read_text())


def numbers(folder: Path) -> list[float]:
    return [row["quantities"][0]["value"] for row in sweep_of(folder)["table"]["rows"]]


@pytest.mark.in_both
def test_rounds_are_points_and_go_on_until_the_condition_holds(cli: Any, tmp_path: Path) -> None:
    config = prepare(tmp_path, '[sweep]\nrepeat = "large"\n')
    done = cli("sweep", config)
    assert done.returncode == 0, done.stderr
    assert numbers(tmp_path) == [16, 27, 38, 49]
    (one,) = sweep_of(tmp_path)["repetitions"]
    assert (one["ended"], one["points"]) == ("met", [row["name"] for row in sweep_of(tmp_path)["table"]["rows"]])
    assert "large: number >= 40 holds after 4 rounds" in done.stdout


def test_a_round_is_an_ordinary_build_and_all_rounds_are_recalled(cli: Any, tmp_path: Path) -> None:
    config = prepare(tmp_path, '[sweep]\nrepeat = "large"\n')
    assert cli("sweep", config).returncode == 0
    last = sweep_of(tmp_path)["table"]["rows"][-1]
    ((key, path),) = last["settings"].items()
    assert cli("run", config, "--set", f"{key}={path}").returncode == 0
    assert json.loads((tmp_path / "build" / "b" / "metrics.json").read_text())["number"][0]["value"] == 49
    again = cli("sweep", config, "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["counts"]["ran"] == 0
    assert json.loads(again.stdout)["repetitions"][0]["ended"] == "met"


def test_rounds_without_success_are_said_loudly_and_end_like_a_gate(cli: Any, tmp_path: Path) -> None:
    done = cli("sweep", prepare(tmp_path, '[sweep]\nrepeat = "large"\nrounds = 2\n'))
    assert done.returncode == 5
    assert "DOES NOT HOLD after 2 rounds" in done.stdout
    assert "number@estimate is 27" in done.stdout
    assert sweep_of(tmp_path)["repetitions"][0]["ended"] == "rounds"


def test_each_point_of_a_grid_has_rounds_of_its_own(cli: Any, tmp_path: Path) -> None:
    grid = '[sweep]\nrepeat = "large"\n[sweep.grid]\n"step.other.parameters.number" = [1, 20]\n'
    assert cli("sweep", prepare(tmp_path, grid)).returncode == 0
    assert [len(one["points"]) for one in sweep_of(tmp_path)["repetitions"]] == [4, 2]


@pytest.mark.parametrize(
    ("sweep", "flow", "said"),
    [
        ('repeat = "larger"', FLOW, ["flow 'flow.toml' has no loop 'larger'", "large"]),
        ('repeat = "large"', FLOW.replace('"grow"', '"grown"'), ["grow is no step of this build", "say what grows"]),
        ('repeat = "large"\nsearch = { trials = 3 }', FLOW, ["exclude each other"]),
        ('repeat = "large"\nrounds = 0', FLOW, ["build.toml: sweep.rounds must be above 0, not 0"]),
        ('repeat = "large"', FLOW.replace("grow.model", "grow"), ["write STEP.INPUT"]),
        ('repeat = "large"', FLOW.replace("number >= 40", "number >="), ["until"]),
    ],
)
def test_a_loop_that_cannot_be_is_refused_before_anything_runs(
    cli: Any, tmp_path: Path, sweep: str, flow: str, said: list[str]
) -> None:
    done = cli("sweep", prepare(tmp_path, f"[sweep]\n{sweep}\n", flow))
    assert done.returncode == 2
    for text in said:
        assert text in done.stderr
    assert not (tmp_path / "build" / "b-sweep" / "points").exists()
