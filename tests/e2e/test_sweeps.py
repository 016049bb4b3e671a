"""Sweeps by the command line, with a real executor: what runs, what lies there afterwards, and how it goes on."""

import json
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bskernel.runtime.session_dirs import processes_of
from support.builds import result_of, statuses, write
from support.eventually import eventually

CONFIG = """
[build]
name = "b"
model = "number.txt"

[[step]]
name = "shared"
entry = "testing:add"
parameters = { number = 10 }
[[step]]
name = "own"
entry = "testing:add"
[[step]]
name = "early"
entry = "testing:tell"
when = "sweep.require"
[[step]]
name = "costly"
entry = "testing:double"
[[step]]
name = "metrics"
entry = "testing:tell"
"""
GRID = """
[sweep]
{goals}
[sweep.grid]
"target.target_fps" = [{values}]
"""


def write_sweep(folder: Path, values: str = "1, 2, 3, 4", goals: str = "", steps: str = CONFIG) -> str:
    return write(folder, steps, GRID.format(values=values, goals=goals))


def output_of(folder: Path) -> Path:
    return folder / "build" / "b-sweep"


def sweep_of(folder: Path) -> Any:
    return json.loads((output_of(folder) / "sweep.json").read_text())


def rows_of(folder: Path) -> dict[int, Any]:
    return {row["settings"]["target.target_fps"]: row for row in sweep_of(folder)["table"]["rows"]}


def ended(folder: Path) -> Counter[str]:
    """What became of how many steps, as the sweep's log tells it."""
    lines = map(json.loads, (output_of(folder) / "log.jsonl").read_text().splitlines())
    return Counter(line["status"] for line in lines if line["event"] in {"step ended", "step failed"})


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file: when it was written, and what it holds."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@pytest.mark.in_both
def test_points_share_steps_and_each_is_the_build_that_run_makes(cli: Any, tmp_path: Path) -> None:
    config = write_sweep(tmp_path)
    done = cli("sweep", config)
    assert done.returncode == 0, done.stderr
    assert ended(tmp_path) == {"ran": 1 + 3 * 4}
    kept = sweep_of(tmp_path)
    assert kept["status"] == "ok"
    counts = {"points": 4, "ok": 4, "steps": 16, "nodes": 13, "shared": 3, "actions": 13, "ran": 13, "recalled": 0}
    assert {name: kept["counts"][name] for name in counts} == counts
    assert "4 points: 4 ok" in done.stdout
    assert "16 steps, 3 of them shared; 13 distinct actions; 13 ran, 0 recalled" in done.stdout
    for value, row in rows_of(tmp_path).items():
        point = output_of(tmp_path) / row["directory"]
        alone = tmp_path / f"alone{value}"
        run = cli("run", config, "--set", f"target.target_fps={value}", "--output", str(alone))
        assert run.returncode == 0, run.stderr
        mine, its = result_of(point), result_of(alone)
        assert set(statuses(its).values()) == {"recalled"}
        for field in ("name", "artifacts", "by_step", "metrics", "failure", "backend", "stopped_by"):
            assert mine[field] == its[field], field
        assert [(step["name"], step["key"]) for step in mine["steps"]] == [
            (step["name"], step["key"]) for step in its["steps"]
        ]
        assert (point / "config.json").read_text() == (alone / "config.json").read_text()
        assert (point / "metrics.json").read_text() == (alone / "metrics.json").read_text()
        steps = {path.relative_to(alone): path.read_bytes() for path in alone.glob("steps/*/*")}
        assert {path.relative_to(point): path.read_bytes() for path in point.glob("steps/*/*")} == steps
        assert len(steps) == 4 * 3


def test_explain_replay_diff_and_bundle_know_a_point_as_any_build(cli: Any, tmp_path: Path) -> None:
    assert cli("sweep", write_sweep(tmp_path)).returncode == 0
    first, second = (output_of(tmp_path) / rows_of(tmp_path)[value]["directory"] for value in (1, 2))
    told = json.loads(cli("explain", str(first), "own", "--json").stdout)
    assert (told["step"], told["status"], told["entry"]) == ("own", "ran", "add")
    done = cli("replay", str(second), "own", "--into", str(tmp_path / "replay"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "replay" / "01-own" / "out" / "model").read_text() == "17"
    differences = json.loads(cli("diff", str(first), str(second), "--format", "json").stdout)
    assert [(item["base"], item["new"]) for item in differences["metrics"]] == [(32.0, 34.0)]
    done = cli("bundle", str(first), "--output", str(tmp_path / "bundle.tar.gz"))
    assert done.returncode == 0, done.stderr


def test_a_sweep_with_nothing_to_do_writes_no_point_anew(cli: Any, tmp_path: Path) -> None:
    config = write_sweep(tmp_path)
    assert cli("sweep", config).returncode == 0
    before = contents(output_of(tmp_path) / "points")
    done = cli("sweep", config)
    assert done.returncode == 0
    assert ended(tmp_path) == {"recalled": 13}
    assert contents(output_of(tmp_path) / "points") == before
    assert sweep_of(tmp_path)["runtime"] == "none"
    assert done.stderr.count(" ok (") == 4


def test_a_point_is_written_anew_when_something_else_lies_there(cli: Any, tmp_path: Path) -> None:
    config = write_sweep(tmp_path)
    assert cli("sweep", config).returncode == 0
    points = output_of(tmp_path) / "points"
    before = contents(points)
    torn, altered = (points / rows_of(tmp_path)[value]["directory"].split("/")[1] for value in (1, 2))
    (torn / "result.json").unlink()
    assert cli("run", config, "--set", "target.target_fps=77", "--output", str(altered)).returncode == 0
    assert cli("sweep", config).returncode == 0
    after = contents(points)
    assert {name for name in after if after[name] != before.get(name)} >= {f"{torn.name}/result.json"}
    assert json.loads((altered / "metrics.json").read_text())["number"][0]["value"] == 34
    assert statuses(result_of(altered)) == dict.fromkeys(["shared", "own", "costly", "metrics"], "recalled")
    untouched = [name for name in before if not name.startswith((torn.name, altered.name))]
    assert len(untouched) > 20
    assert {name: after[name] for name in untouched} == {name: before[name] for name in untouched}


def test_more_points_run_only_what_is_theirs(cli: Any, tmp_path: Path) -> None:
    assert cli("sweep", write_sweep(tmp_path)).returncode == 0
    assert cli("sweep", write_sweep(tmp_path, "1, 2, 3, 4, 5")).returncode == 0
    assert ended(tmp_path) == {"recalled": 13, "ran": 3}


def test_a_failed_point_is_a_row_and_leaves_the_others_alone(cli: Any, tmp_path: Path) -> None:
    steps = CONFIG.replace("testing:double", "testing:measure").replace("number = 10", "number = 1")
    done = cli("sweep", write_sweep(tmp_path, "1, 2, 3, 4, 5", steps=steps), "--jobs", "2")
    assert done.returncode == 3
    rows = rows_of(tmp_path)
    assert [rows[value]["status"] for value in range(1, 6)] == ["ok", "ok", "ok", "failed", "failed"]
    assert rows[4]["reason"] == "step costly: verification: 10 is more than one digit"
    assert rows[4]["quantities"][0]["value"] == 10
    point = output_of(tmp_path) / rows[4]["directory"]
    assert statuses(result_of(point)) == {"shared": "ran", "own": "ran", "costly": "failed", "metrics": "ran"}
    assert "step costly failed, verification: 10 is more than one digit" in (point / "failure.txt").read_text()
    assert str(point / "steps" / "02-costly" / "log.jsonl") in (point / "failure.txt").read_text()
    assert "costly" in cli("explain", str(point)).stdout
    kept = sweep_of(tmp_path)
    assert (kept["status"], kept["failures"]) == ("failed", {"verification": 2})
    assert result_of(point)["commands"][-1] == f"bskernel run {point / 'config.json'}"
    # A failure is never remembered.
    assert f"why points failed: bskernel explain {point}" in done.stdout
    assert cli("sweep", str(tmp_path / "build.toml")).returncode == 3
    assert ended(tmp_path)["failed"] == 2
    assert ended(tmp_path)["ran"] == 0


def test_a_point_that_breaks_a_requirement_is_stopped_before_what_is_costly(cli: Any, tmp_path: Path) -> None:
    config = write_sweep(tmp_path, goals='require = "number < 18 or number > 34"')
    done = cli("sweep", config)
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path)
    assert {value: row["status"] for value, row in rows.items()} == {
        1: "stopped",
        2: "stopped",
        3: "stopped",
        4: "stopped",
    }
    assert rows[3]["reason"] == "number < 18 or number > 34 does not hold: number@estimate is 18"
    assert rows[1]["reason"].endswith("number@estimate is 32")
    assert statuses(result_of(output_of(tmp_path) / rows[3]["directory"])) == {
        "shared": "ran", "own": "ran", "early": "ran", "costly": "skipped", "metrics": "skipped",
    }  # fmt: skip
    stopped = output_of(tmp_path) / rows[3]["directory"]
    assert result_of(stopped)["status"] == "stopped"
    assert (
        f"requires what the build does not keep: {rows[3]['reason']}" in cli("explain", str(stopped), "costly").stdout
    )
    assert ended(tmp_path) == {"ran": 1 + 2 * 3 + 2 * 2 + 2}
    # What is there for requirements alone is in no other build, and changes no key of one.
    assert cli("run", config, "--set", "target.target_fps=1").returncode == 0
    assert set(statuses(result_of(tmp_path / "build" / "b")).values()) == {"recalled"}
    assert "early" not in statuses(result_of(tmp_path / "build" / "b"))


@pytest.mark.parametrize(
    ("goals", "told"),
    [
        ('require = "number <"', "sweep.require: number <: column 9"),
        ('require = "number < base"', "one build alone has no base"),
    ],
)
def test_what_is_no_requirement_is_refused_before_anything_runs(
    cli: Any, tmp_path: Path, goals: str, told: str
) -> None:
    done = cli("sweep", write_sweep(tmp_path, goals=goals))
    assert done.returncode == 2
    assert told in done.stderr
    assert not output_of(tmp_path).exists()


def test_a_configuration_without_a_sweep_is_refused(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "number.txt").write_text("5")
    (tmp_path / "build.toml").write_text(CONFIG)
    done = cli("sweep", str(tmp_path / "build.toml"))
    assert done.returncode == 2
    assert "the [sweep] table is missing" in done.stderr


def test_what_is_found_damaged_when_points_are_written_is_made_again(cli: Any, tmp_path: Path, cache: Path) -> None:
    config = write_sweep(tmp_path)
    assert cli("sweep", config).returncode == 0
    point = output_of(tmp_path) / rows_of(tmp_path)[2]["directory"]
    (made,) = [item for item in result_of(point)["steps"] if item["name"] == "costly"]
    digest = made["outputs"][0]["digest"]["sha256"]
    blob = cache / "blobs" / digest[:2] / digest
    stamp = blob.stat()
    blob.chmod(0o644)
    blob.write_bytes(b"99")
    import os

    os.utime(blob, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    blob.chmod(stamp.st_mode)
    shutil.rmtree(point)
    done = cli("sweep", config)
    assert done.returncode == 0, done.stderr
    assert (point / "artifacts" / "model").read_text() == "34"
    assert {row["status"] for row in rows_of(tmp_path).values()} == {"ok"}
    assert ended(tmp_path)["ran"] == 1


def test_json_is_the_table_with_what_became_of_each_point(cli: Any, tmp_path: Path) -> None:
    done = cli("sweep", write_sweep(tmp_path), "--json", "--output", str(tmp_path / "out"))
    told = json.loads(done.stdout)
    assert [row["settings"]["target.target_fps"] for row in told["table"]["rows"]] == [1, 2, 3, 4]
    assert told["table"]["keys"] == ["target.target_fps"]
    assert told["table"]["rows"][0]["quantities"][0]["value"] == 32
    assert Path(told["table"]["rows"][0]["directory"]).parent == tmp_path / "out" / "points"


def test_the_library_returns_the_table(
    tmp_path: Path, surroundings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import bskernel

    for name, value in surroundings.items():
        monkeypatch.setenv(name, value)
    result = bskernel.sweep(write_sweep(tmp_path), settings=["build.salt=lib"], runtime="process", jobs=2)
    assert (result.status, result.exit_code, result.counts.ran) == ("ok", 0, 13)
    assert [row.quantities[0].value for row in result.table.rows] == [32, 34, 36, 38]
    again = bskernel.sweep(tmp_path / "build.toml", settings=["build.salt=lib"], runtime="process", last="own")
    assert again.counts.recalled == 5
    assert {row.quantities for row in again.table.rows} == {()}
    found = bskernel.results(result, maximize="number", require="number < 38")
    assert found.recommended is not None
    assert (found.recommended.settings, found.recommended.directory) == (
        {"target.target_fps": 3},
        tmp_path / "build" / "b-sweep" / "points" / found.recommended.name,
    )


FLOW = """
[[step]]
name = "shared"
entry = "testing:add"
parameters = { number = 10 }
[[step]]
name = "wait"
entry = "testing:meet"
parameters = { word = "first" }
[[step]]
entry = "testing:double"
"""
WAITING = """
[build]
name = "b"
model = "number.txt"
flow = "flow.toml"
[sweep]
[[sweep.point]]
"step.wait.parameters.word" = "first"
[[sweep.point]]
"step.wait.parameters.word" = "second"
"step.wait.parameters.until" = ["go"]
[[sweep.point]]
"step.wait.parameters.word" = "third"
"""


def waiting(folder: Path) -> str:
    (folder / "number.txt").write_text("5")
    (folder / "flow.toml").write_text(FLOW)
    (folder / "build.toml").write_text(WAITING)
    return str(folder / "build.toml")


def session_with(cache: Path, word: str, but: Path | None = None) -> Path | None:
    found = (path.parent for path in (cache / "sessions").glob(f"*/steps/.{word}"))
    # A folder that is being removed has another name.
    return next((path for path in found if path != but and ".tmp-" not in path.parent.name), None)


@pytest.mark.in_both
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_sweep_that_was_ended_goes_on_with_what_is_missing(
    begin: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, cache: Path, signum: signal.Signals
) -> None:
    config = waiting(tmp_path)
    kernel = begin("sweep", config, "--jobs", "1")
    session = eventually(lambda: session_with(cache, "second"))
    points = output_of(tmp_path) / "points"
    # The next step starts before a finished point is written; the stamp comes last.
    eventually(lambda: list(points.glob("*/.stamp")))
    kernel.send_signal(signum)
    code = kernel.wait(60)
    finished = [path.parent for path in points.glob("*/result.json")]
    assert len(finished) == 1
    before = contents(finished[0])
    if signum == signal.SIGKILL:
        assert code == -signal.SIGKILL
        assert not (output_of(tmp_path) / "sweep.json").exists()
    else:
        assert code == 130
        kept = sweep_of(tmp_path)
        assert kept["status"] == "interrupted"
        assert [row["status"] for row in kept["table"]["rows"]] == ["ok", "interrupted", "interrupted"]
        assert [row["directory"] for row in kept["table"]["rows"]][1:] == [None, None]
        assert processes_of(session.parent.name) == []
        assert list((cache / "sessions").iterdir()) == []
    again = begin("sweep", config, "--jobs", "1")
    new = eventually(lambda: session_with(cache, "second", but=session))
    (new / ".go").touch()
    assert again.wait(60) == 0
    assert [row["status"] for row in sweep_of(tmp_path)["table"]["rows"]] == ["ok", "ok", "ok"]
    # Shared, first and what follows it were stored; of the rest each ran once. Doubling three ones is one action.
    assert ended(tmp_path) == {"recalled": 3 + 2, "ran": 2}
    assert contents(finished[0]) == before
    assert list((cache / "sessions").iterdir()) == []


def test_two_sweeps_do_not_write_in_one_directory(
    begin: Callable[..., subprocess.Popen[bytes]], cli: Any, tmp_path: Path, cache: Path
) -> None:
    config = waiting(tmp_path)
    kernel = begin("sweep", config)
    session = eventually(lambda: session_with(cache, "second"))
    done = cli("sweep", config)
    assert done.returncode == 2
    assert "another sweep is writing here" in done.stderr
    (session / ".go").touch()
    assert kernel.wait(60) == 0


def test_points_run_at_once_in_sessions_that_they_share(cli: Any, tmp_path: Path) -> None:
    config = waiting(tmp_path)
    text = Path(config).read_text().replace('["go"]', '["third"]')
    Path(config).write_text(text)
    done = cli("sweep", config, "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert ended(tmp_path)["ran"] == 1 + 3 + 1


def test_a_search_builds_its_batches_as_points_of_one_sweep(cli: Any, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    goals = 'maximize = "number"\nsearch = { trials = 6, batch = 2, seed = 3 }'
    config = write_sweep(tmp_path, ", ".join(map(str, range(1, 41))), goals=goals)
    with Path(config).open("a") as file:
        file.write('[[sweep.point]]\n"target.target_fps" = 99\n')
    done = cli("sweep", config)
    assert done.returncode == 0, done.stderr
    kept = sweep_of(tmp_path)
    values = list(rows_of(tmp_path))
    assert values[0] == 99
    assert len(set(values)) == 1 + 6
    assert {row["status"] for row in kept["table"]["rows"]} == {"ok"}
    assert ended(tmp_path)["ran"] == kept["counts"]["ran"] == kept["counts"]["actions"] == 1 + 3 * 7
    assert len(list((output_of(tmp_path) / "points").iterdir())) == 7
    assert "number" in done.stdout
    assert [f"({at} of 7)" for at in range(1, 8)] == re.findall(r"\(\d+ of 7\)", done.stderr)
    assert cli("sweep", config).returncode == 0
    assert list(rows_of(tmp_path)) == values
    assert ended(tmp_path)["ran"] == 0


def test_a_search_that_has_tried_everything_says_so(cli: Any, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    done = cli("sweep", write_sweep(tmp_path, "1, 2, 3", goals='maximize = "number"\nsearch = { trials = 6 }'))
    assert done.returncode == 0, done.stderr
    assert "the search ends: it has tried all 3 points" in done.stderr
    assert "0 points" not in done.stderr


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_an_objective_that_no_point_has_does_not_undo_what_was_built(
    cli: Any, tmp_path: Path, form: tuple[str, ...]
) -> None:
    done = cli("sweep", write_sweep(tmp_path, goals='maximize = "nombre"'), *form)
    assert done.returncode == 2
    assert "'nombre'" in done.stderr
    assert ("13 ran" in done.stdout) or json.loads(done.stdout)["counts"]["ran"] == 13
    assert {row["status"] for row in rows_of(tmp_path).values()} == {"ok"}
    assert cli("results", str(output_of(tmp_path)), "--maximize", "number").returncode == 0
