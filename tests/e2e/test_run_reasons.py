"""Why each step ran, in result.json, in `explain` and on the page, by the command line."""

import html
import json
from pathlib import Path
from typing import Any

from support.builds import result_of, write

BUILD = """
[build]
name = "b"
model = "number.txt"
[[step]]
name = "first"
entry = "testing:add"
parameters.number = {number}
[[step]]
name = "second"
entry = "testing:double"
"""
NEW = ["no earlier run in this build directory"]
FRESH = ["fresh: results of earlier builds were not recalled"]


def build(cli: Any, folder: Path, number: int, *options: str) -> dict[str, list[str] | None]:
    """Each step's reasons; None for one that was recalled."""
    config = write(folder, BUILD.format(number=number))
    done = cli("run", config, *options)
    assert done.returncode == 0, done.stderr
    steps = result_of(folder / "build" / "b")["steps"]
    assert all(bool(step["why"]) == (step["status"] == "ran") for step in steps)
    return {step["name"]: step["why"] if step["status"] == "ran" else None for step in steps}


def test_each_step_that_ran_says_what_changed_since_its_last_run_here(cli: Any, tmp_path: Path) -> None:
    assert build(cli, tmp_path, 2) == {"first": NEW, "second": NEW}
    assert build(cli, tmp_path, 2) == {"first": None, "second": None}
    changed = build(cli, tmp_path, 3)
    assert changed["first"] == ["parameter number: 2 -> 3"]
    (reason,) = changed["second"] or []
    assert reason.startswith("input model: ")
    assert reason.endswith(", made by first")
    assert build(cli, tmp_path, 3, "--fresh") == {"first": FRESH, "second": FRESH}


def test_a_step_whose_result_the_cache_lost_says_so(cli: Any, tmp_path: Path, cache: Path) -> None:
    build(cli, tmp_path, 2)
    for result in (cache / "actions").rglob("*"):
        if result.is_file():
            result.unlink()
    lost = ["its result is not in the cache"]
    assert build(cli, tmp_path, 2) == {"first": lost, "second": lost}


def test_explain_and_the_page_say_it(cli: Any, tmp_path: Path) -> None:
    build(cli, tmp_path, 2)
    build(cli, tmp_path, 3)
    directory = tmp_path / "build" / "b"
    assert "it ran because: parameter number: 2 -> 3" in cli("explain", str(directory), "first").stdout
    told = json.loads(cli("explain", str(directory), "first", "--json").stdout)
    assert told["why"] == ["parameter number: 2 -> 3"]
    page = Path(cli("report", str(directory)).stdout.strip())
    assert "parameter number: 2 -> 3" in html.unescape((tmp_path / page).read_text())


def test_a_step_that_failed_says_why_it_ran(cli: Any, tmp_path: Path) -> None:
    config = write(tmp_path, BUILD.format(number=99) + "[[step]]\nentry = 'testing:measure'\n")
    assert cli("run", config).returncode == 3
    (failed,) = [step for step in result_of(tmp_path / "build" / "b")["steps"] if step["status"] == "failed"]
    assert failed["why"] == NEW
    assert "it ran because: no earlier run" in cli("explain", str(tmp_path / "build" / "b")).stdout


def test_a_point_of_a_sweep_says_that_the_cache_had_no_result(cli: Any, tmp_path: Path) -> None:
    grid = '[sweep]\n[sweep.grid]\n"target.target_fps" = [1, 2]\n'
    assert cli("sweep", write(tmp_path, BUILD.format(number=2) + grid)).returncode == 0
    for point in (tmp_path / "build" / "b-sweep" / "points").iterdir():
        assert {tuple(step["why"]) for step in result_of(point)["steps"]} == {("its result is not in the cache",)}
