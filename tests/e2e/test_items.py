"""Steps with `each`, by the command line, with a real executor: which items run, and what is told of them."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.builds import result_of, write
from support.eventually import eventually
from support.items import THREE, WEIGHED, Folders, code_of


def weigh(folder: Path, folders: Folders) -> str:
    return write(folder, WEIGHED.format(folders=folders))


def step_of(folder: Path, name: str) -> Any:
    return next(step for step in result_of(folder / "build" / "b")["steps"] if step["name"] == name)


def items(folder: Path) -> dict[str, str]:
    return {item["name"]: item["status"] for item in step_of(folder, "weigh")["items"]}


@pytest.mark.in_both
def test_each_different_item_runs_once_and_the_next_step_has_all(cli: Any, tmp_path: Path) -> None:
    done = cli("run", weigh(tmp_path, THREE))
    assert done.returncode == 0, done.stderr
    assert items(tmp_path) == {"weigh.a": "ran", "weigh.b": "ran"}
    assert "3 items, 2 different: 2 ran" in done.stderr
    whole = step_of(tmp_path, "weigh")
    assert [item["equal_items"] for item in whole["items"]] == [["c"], []]
    assert [item["record"] for item in whole["items"]] == [{"weight": 3}, {"weight": 4}]
    assert whole["peak_mib"] == max(item["peak_mib"] for item in whole["items"])
    told = json.loads((tmp_path / "build" / "b" / "artifacts" / "model").read_text())
    assert told == {"weights": {"a": 3, "b": 4, "c": 3}, "files": {"a": 2, "b": 1, "c": 2}, "even": ["b"]}
    again = cli("run", weigh(tmp_path, THREE))
    assert items(tmp_path) == {"weigh.a": "recalled", "weigh.b": "recalled"}
    assert "3 items, 2 different: 2 recalled" in again.stderr
    assert step_of(tmp_path, "weigh")["status"] == "recalled"
    log = tmp_path / "build" / "b" / "steps" / "01-weigh.a" / "log.jsonl"
    assert "weighing x y" in log.read_text()


def test_after_one_item_has_changed_that_item_runs_alone(cli: Any, tmp_path: Path) -> None:
    assert cli("run", weigh(tmp_path, THREE)).returncode == 0
    done = cli("run", weigh(tmp_path, {**THREE, "b": {"x": "5"}}))
    assert items(tmp_path) == {"weigh.a": "recalled", "weigh.b": "ran"}
    assert "3 items, 2 different: 1 ran, 1 recalled" in done.stderr
    assert step_of(tmp_path, "weigh")["status"] == "ran"
    told = json.loads((tmp_path / "build" / "b" / "artifacts" / "model").read_text())
    assert told["weights"] == {"a": 3, "b": 5, "c": 3}
    compared = cli("diff", str(tmp_path / "build" / "b"), str(tmp_path / "build" / "b"), "--format", "json")
    names = [step["name"] for step in json.loads(compared.stdout)["steps"]]
    assert names == ["partition", "weigh.a", "weigh.b", "weigh", "add-weights"]


def test_fresh_runs_every_different_item_again(cli: Any, tmp_path: Path) -> None:
    for _ in range(2):
        assert cli("run", weigh(tmp_path, THREE), "--fresh").returncode == 0
        assert items(tmp_path) == {"weigh.a": "ran", "weigh.b": "ran"}


def test_a_failed_item_is_named_and_explained_and_those_that_ran_are_kept(cli: Any, tmp_path: Path) -> None:
    bad: Folders = {**THREE, "b": {"refuse": ""}, "d": {"refuse": ""}}
    done = cli("run", weigh(tmp_path, bad), "--jobs", "1")
    assert done.returncode == 3
    build = tmp_path / "build" / "b"
    assert "step weigh failed, kernel: item b (and d, which has the same content): too heavy" in done.stdout
    assert f"try: bskernel replay {build} weigh.b" in done.stdout
    assert f"log: {build / 'steps' / '01-weigh.b' / 'log.jsonl'}" in done.stdout
    assert items(tmp_path) == {"weigh.a": "ran", "weigh.b": "failed"}
    explained = cli("explain", str(build)).stdout
    assert explained.startswith("step weigh.b: failed")
    assert "    | weighing refuse" in explained
    assert cli("run", weigh(tmp_path, THREE)).returncode == 0
    assert items(tmp_path) == {"weigh.a": "recalled", "weigh.b": "ran"}


def test_an_item_is_replayed_and_its_step_says_that_it_has_items(cli: Any, tmp_path: Path) -> None:
    assert cli("run", weigh(tmp_path, THREE)).returncode == 0
    build, into = str(tmp_path / "build" / "b"), str(tmp_path / "again")
    refused = cli("replay", build, "weigh", "--into", into, "--runtime", "process")
    assert refused.returncode == 2
    assert "step weigh runs once for each folder in its input numbers" in refused.stderr
    assert "name one of them: weigh.a, weigh.b" in refused.stderr
    done = cli("replay", build, "weigh.b", "--into", into, "--runtime", "process")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again" / "01-weigh.b" / "out" / "weight").read_text() == "4"


def test_the_plan_says_that_the_number_of_runs_is_known_later_and_afterwards_that_all_is_cached(
    cli: Any, tmp_path: Path
) -> None:
    build = weigh(tmp_path, THREE)
    assert "once for each different folder in its input numbers; how many is known when" in cli("plan", build).stdout
    assert cli("run", build).returncode == 0
    assert cli("plan", build).stdout.count("cached") == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_step_leaves_the_items_that_were_done(
    cli: Any, begin: Callable[..., Any], tmp_path: Path, number: signal.Signals
) -> None:
    slow: Folders = {**THREE, "b": {"wait": "0"}}
    running = begin("run", weigh(tmp_path, slow), "--jobs", "1", "--runtime", "process")
    log = tmp_path / "build" / "b" / "log.jsonl"
    eventually(lambda: log.exists() and '"weigh.b"' in log.read_text())
    os.kill(running.pid, number)
    running.wait()
    if number == signal.SIGINT:
        assert items(tmp_path) == {"weigh.a": "ran", "weigh.b": "interrupted"}
        assert step_of(tmp_path, "weigh")["status"] == "interrupted"
    done = cli("run", weigh(tmp_path, THREE), "--runtime", "process")
    assert done.returncode == 0, done.stderr
    assert items(tmp_path) == {"weigh.a": "recalled", "weigh.b": "ran"}


def test_a_folder_without_items_is_refused_with_the_reason(cli: Any, tmp_path: Path) -> None:
    done = cli("run", weigh(tmp_path, {**THREE, ".": {"notes": "1"}}))
    assert done.returncode == 3
    assert "step weigh runs for each folder of its input 'numbers': 'notes' is a file" in done.stdout


@pytest.mark.in_both
def test_a_folder_without_anything_has_no_items_and_the_next_step_has_empty_folders(cli: Any, tmp_path: Path) -> None:
    nothing = WEIGHED.format(folders={}).replace("from pathlib", "(out / 'tree').mkdir()\nfrom pathlib")
    for _ in range(2):
        done = cli("run", write(tmp_path, nothing))
        assert done.returncode == 0, done.stderr
        whole = step_of(tmp_path, "weigh")
        assert (whole["status"], whole.get("items", [])) == ("recalled", [])
        assert sorted(output["name"] for output in whole["outputs"]) == ["copy", "weight"]
    told = json.loads((tmp_path / "build" / "b" / "artifacts" / "model").read_text())
    assert told == {"weights": {}, "files": {}, "even": []}
    assert cli("run", weigh(tmp_path, THREE)).returncode == 0
    assert items(tmp_path) == {"weigh.a": "ran", "weigh.b": "ran"}


SOURCE = 'inputs = { numbers = "partition.tree" }'
OTHER = f'name = "weigh.b"\nentry = "testing:weigh"\n{SOURCE}\n[[step]]'


@pytest.mark.parametrize(
    ("line", "changed", "message"),
    [
        (
            'each = "numbers"',
            'each = "number"',
            "step weigh: each = 'number': weigh has no such input that is a folder",
        ),
        ('entry = "testing:weigh"', f'{OTHER}\nentry = "testing:weigh"', "step weigh.b has the name of an item"),
    ],
)
def test_what_cannot_run_for_items_is_refused_before_anything_runs(
    cli: Any, tmp_path: Path, line: str, changed: str, message: str
) -> None:
    done = cli("plan", write(tmp_path, WEIGHED.format(folders=THREE).replace(line, changed)))
    assert done.returncode == 2
    assert message in done.stderr


def test_a_sweep_runs_a_shared_item_once_and_each_point_replays_its_own(cli: Any, tmp_path: Path) -> None:
    head, *steps = WEIGHED.format(folders=THREE).partition("[[step]]")
    (tmp_path / "flow.toml").write_text("".join(steps))
    codes = [code_of(folders) for folders in (THREE, {**THREE, "b": {"x": "7"}})]
    swept = f'flow = "flow.toml"\n[sweep.grid]\n"step.partition.parameters.code" = {json.dumps(codes)}\n'
    write(tmp_path, head, swept)
    for fresh in ([], ["--fresh"]):
        done = cli("sweep", str(tmp_path / "build.toml"), "--runtime", "process", *fresh)
        assert done.returncode == 0, done.stderr
        ran = [line.split()[3] for line in done.stderr.splitlines() if line.startswith("  ran ")]
        assert sorted(name for name in ran if "weigh." in name) == ["weigh.a", "weigh.b", "weigh.b"]
    points = sorted((tmp_path / "build" / "b-sweep" / "points").iterdir())
    for point, weight in zip(points, "47", strict=True):
        into = tmp_path / f"again-{weight}"
        done = cli("replay", str(point), "weigh.b", "--into", str(into), "--runtime", "process")
        assert done.returncode == 0, done.stderr
        assert (into / "01-weigh.b" / "out" / "weight").read_text() == weight
        log = point / "steps" / "01-weigh.b" / "log.jsonl"
        assert "weighing x" in log.read_text()
