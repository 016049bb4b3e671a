"""`bskernel builds`: builds of the past are listed, found and shown, whatever state their directories are in."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from support.builds import result_of, write

BUILD = """
[build]
name = "{name}"
model = "{model}"
[[step]]
entry = "testing:add"
parameters = {{ number = {number} }}
[[step]]
name = "metrics"
entry = "testing:tell"
"""
SWEEP = '[sweep.grid]\n"build.salt" = ["a", "b"]\n'


@pytest.fixture
def built(cli: Any, tmp_path: Path) -> Path:
    """Two builds of two models, whose numbers are 6 and 12, and a sweep of two points, with 6 each."""
    (tmp_path / "other.txt").write_text("7")
    for name, model, number, more in (
        ("small", "number", 1, ""),
        ("large", "other", 5, ""),
        ("s", "number", 1, SWEEP),
    ):
        config = write(tmp_path, BUILD.format(name=name, model=f"{model}.txt", number=number), more)
        done = cli("sweep" if more else "run", config)
        assert done.returncode == 0, done.stderr
    return tmp_path / "build"


def found(cli: Any, *arguments: str) -> Any:
    done = cli("builds", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def names(history: Any) -> list[str]:
    return sorted(Path(build["directory"]).parts[1] for build in history["builds"])


def test_all_builds_below_a_folder_are_listed_with_the_points_of_sweeps_the_newest_first(
    cli: Any, built: Path
) -> None:
    history = found(cli, "list")
    assert names(history) == ["large", "s-sweep", "s-sweep", "small"]
    ended = [build["ended"] for build in history["builds"]]
    assert ended == sorted(ended, reverse=True)
    assert history["damaged"] == []
    (small,) = [build for build in history["builds"] if build["name"] == "small"]
    result = result_of(built / "small")
    assert small["model_sha256"] == hashlib.sha256(b"5").hexdigest()
    assert small["executors"] == {"testing@1": result["origin"]["executors"]["testing@1"]["digest"]}
    assert [item["value"] for item in small["quantities"]] == [6]
    text = cli("builds", "list", "build/small", "build/large").stdout
    assert text.splitlines()[-1] == "2 builds"
    assert "build/small  ok" in text


FOUND: dict[tuple[str, ...], list[str]] = {
    ("--where", "number > 10"): ["large"],
    ("--where", "number@estimate < 10", "--where", "number != 5"): ["s-sweep", "s-sweep", "small"],
    ("--model", "other"): ["large"],
    ("--model", hashlib.sha256(b"7").hexdigest()[:8]): ["large"],
    ("--executor", "testing@1", "--model", "other.txt"): ["large"],
    ("--executor", "finn-step"): [],
    ("--since", "1h", "--status", "ok", "--where", "number > 10"): ["large"],
    ("--until", "2020-01-01"): [],
    ("--status", "failed"): [],
}


def test_builds_are_found_by_what_they_were_made_from_and_what_came_out(cli: Any, built: Path) -> None:
    assert {options: names(found(cli, "find", *options)) for options in FOUND} == FOUND
    digest = result_of(built / "large")["origin"]["executors"]["testing@1"]["digest"]
    assert len(names(found(cli, "find", "--executor", digest[:10]))) == 4


def test_found_builds_are_shown_with_the_numbers_that_were_asked_for(cli: Any, built: Path) -> None:
    lines = cli("builds", "find", "--where", "number > 10").stdout.splitlines()
    assert lines[0].split() == ["build", "status", "ended", "model", "number"]
    assert lines[1].split()[-1] == "12@estimate"
    assert lines[2] == "1 build"


def test_a_build_without_a_number_is_listed_apart_and_not_taken_for_zero(
    cli: Any, built: Path, tmp_path: Path
) -> None:
    write(tmp_path, BUILD.format(name="bare", model="number.txt", number=1))
    assert cli("run", "build.toml", "--to", "add").returncode == 0
    history = found(cli, "find", "--where", "number < 10")
    assert "bare" not in names(history)
    assert [one["directory"] for one in history["unjudged"]] == ["build/bare"]
    assert "number is missing" in history["unjudged"][0]["reason"]


def test_a_mistyped_quantity_is_refused_with_the_choices(cli: Any, built: Path) -> None:
    done = cli("builds", "find", "--where", "numbr > 10")
    assert done.returncode == 2
    assert "no build has a quantity 'numbr'; did you mean 'number'?" in done.stderr
    done = cli("builds", "find", "--where", "number >")
    assert done.returncode == 2
    assert "--where: number >: column" in done.stderr


@pytest.mark.parametrize("when", ["yesterday", "2026-13-01", "7"])
def test_what_is_no_date_is_refused_with_examples(when: str, cli: Any) -> None:
    done = cli("builds", "find", "--until", when)
    assert done.returncode == 2
    assert "write e.g. 2026-11-29" in done.stderr


def test_a_damaged_directory_is_listed_with_its_reason_and_hides_no_other(cli: Any, built: Path) -> None:
    shutil.copytree(built / "small", built / "killed")
    (built / "killed" / "result.json").unlink()
    shutil.copytree(built / "small", built / "torn")
    (built / "torn" / "result.json").write_bytes((built / "small" / "result.json").read_bytes()[:100])
    shutil.copytree(built / "small", built / "piped")
    (built / "piped" / "result.json").unlink()
    os.mkfifo(built / "piped" / "result.json")
    (built / "large" / "metrics.json").write_text("{}")
    history = found(cli, "find", "--where", "number > 1")
    assert names(history) == ["large", "s-sweep", "s-sweep", "small"]
    reasons = {Path(one["directory"]).name: one["reason"] for one in history["damaged"]}
    assert reasons.keys() == {"killed", "torn", "piped"}
    assert reasons["killed"] == "result.json: no such file: the build is running, or was killed"
    assert reasons["torn"].startswith("result.json: not the result of a build: ")
    assert reasons["piped"] == "result.json: is not a plain file"
    (large,) = [build for build in history["builds"] if build["name"] == "large"]
    assert large["altered"] == ["metrics.json: altered"]
    text = cli("builds", "list").stdout
    assert "damaged: 3 builds" in text
    assert "build/torn: result.json: not the result of a build" in text


def test_a_folder_may_have_any_name(cli: Any, built: Path) -> None:
    odd = os.fsdecode(b"odd\xff\x1b[31m")
    shutil.copytree(built / "small", built / odd)
    shutil.copytree(built / "small", built / f"{odd}torn")
    (built / f"{odd}torn" / "result.json").write_text("{")
    history = found(cli, "list")
    assert "build/odd\\xff\x1b[31m" in [build["directory"] for build in history["builds"]]
    assert [one["directory"] for one in history["damaged"]] == ["build/odd\\xff\x1b[31mtorn"]
    text = cli("builds", "list").stdout
    assert "build/odd\\xff\\x1b[31m" in text
    assert "\x1b" not in text
    assert found(cli, "show", f"build/{odd}")["build"]["status"] == "ok"


def test_one_build_is_shown_with_the_steps_that_the_cache_still_has(cli: Any, built: Path, cache: Path) -> None:
    shown = found(cli, "show", "build/small")
    assert shown["build"]["status"] == "ok"
    assert shown["config"]["build"]["name"] == "small"
    assert [step["cached"] for step in shown["steps"]] == [True, True]
    assert shown["artifacts"]["model"]["digest"] == result_of(built / "small")["artifacts"]["model"]["digest"]
    shutil.rmtree(cache / "actions")
    text = cli("builds", "show", "build/small").stdout
    assert re.search(r"^    number  6 +estimate$", text, re.MULTILINE)
    assert text.count("not cached here") == 2
    assert shown["artifacts"]["model"]["digest"]["sha256"] in text


def test_nothing_is_found_in_an_empty_folder_and_a_folder_that_is_not_there_is_an_error(
    cli: Any, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    assert found(cli, "find", "empty", "--where", "number > 1") == {"builds": [], "damaged": [], "unjudged": []}
    done = cli("builds", "list", "nowhere")
    assert done.returncode == 2
    assert "nowhere: no such folder" in done.stderr
