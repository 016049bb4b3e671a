"""`bskernel verify`: a build directory proves that it is intact, and that a second build makes the same bytes."""

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from bskernel.verification.variation import VARIED
from support.builds import write
from support.flipped_bits import flipped

BUILD = """
[build]
name = "b"
model = "number.txt"
[target]
target_fps = 3
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:draw"
"""
CLOCK = """
[build]
name = "b"
model = "number.txt"
[[step]]
entry = "testing:double"
[[step]]
name = "clock"
entry = "testing:act"
parameters.code = '''
import json, time
(out / "model").write_text(json.dumps({"number": 5, "made": {"at": time.time_ns()}}))
'''
[[step]]
name = "after"
entry = "testing:act"
parameters.code = '''
(out / "model").write_text(step.required_input("model").read_text() + "!")
'''
"""


@pytest.fixture
def built(cli: Any, tmp_path: Path) -> Path:
    done = cli("run", write(tmp_path, BUILD), "--with-inputs")
    assert done.returncode == 0, done.stderr
    return tmp_path / "build" / "b"


@pytest.mark.in_both
def test_a_build_is_verified_in_surroundings_that_differ_in_everything(
    cli: Any, built: Path, runtime: str, tmp_path: Path
) -> None:
    varied = ",".join(name for name in VARIED if runtime == "process" or name != "user")
    done = cli("verify", str(built), "--vary", varied)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    assert last.startswith("VERIFIED: ")
    assert f"2 outputs of all steps made again, byte for byte, runtime {runtime}" in last
    assert list(tmp_path.glob("bskernel-verify-*")) == []


@pytest.mark.parametrize("file", ["build.toml", "net.toml", "my net.toml"])
def test_a_build_that_has_its_name_from_a_file_is_verified(file: str, cli: Any, tmp_path: Path) -> None:
    (tmp_path / write(tmp_path, BUILD.replace('name = "b"\n', ""))).rename(tmp_path / file)
    assert cli("run", file, "--output", "out").returncode == 0
    done = cli("verify", "out")
    assert done.returncode == 0, done.stderr


def test_a_copy_of_a_build_with_its_inputs_is_verified_where_nothing_else_of_it_is(
    cli: Any, built: Path, environments: Path, tmp_path: Path
) -> None:
    away = tmp_path / "away"
    shutil.copytree(built, away)
    for path in (tmp_path / "build", tmp_path / "cache"):
        shutil.rmtree(path)
    for path in (tmp_path / "number.txt", tmp_path / "build.toml"):
        path.unlink()
    (tmp_path / "cache").mkdir()
    for name in ("envs", "code", "packages"):
        (tmp_path / "cache" / name).symlink_to(environments / name)
    done = cli("verify", str(away), "--runs", "2", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["status"] == "verified"
    assert [one["outputs"] for one in found["second_builds"]] == [2, 2]


def test_without_its_inputs_a_build_says_what_is_missing_and_takes_the_model(
    cli: Any, environments: Path, tmp_path: Path
) -> None:
    assert cli("run", write(tmp_path, BUILD)).returncode == 0
    shutil.rmtree(tmp_path / "cache")
    (tmp_path / "cache").mkdir()
    for name in ("envs", "code", "packages"):
        (tmp_path / "cache" / name).symlink_to(environments / name)
    (tmp_path / "number.txt").rename(tmp_path / "moved.txt")
    build = str(tmp_path / "build" / "b")
    done = cli("verify", build)
    assert done.returncode == 2
    assert "number.txt (SHA-256 " in done.stderr
    assert "--model FILE" in done.stderr
    (tmp_path / "wrong.txt").write_text("7")
    assert cli("verify", build, "--model", "wrong.txt").returncode == 2
    done = cli("verify", build, "--model", "moved.txt")
    assert done.returncode == 0, done.stderr


def test_the_first_step_that_differs_is_named_with_the_keys_that_differ(cli: Any, tmp_path: Path) -> None:
    assert cli("run", write(tmp_path, CLOCK)).returncode == 0
    done = cli("verify", str(tmp_path / "build" / "b"), "--into", "kept")
    assert done.returncode == 9, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "  first difference: step clock (testing@1:act); its inputs were the same"
    assert lines[2].startswith("      made.at: was ")
    assert "  after it: after" in lines
    assert lines[-1].startswith("DIFFERS: ")
    for side in ("published", "second"):
        assert "made" in (tmp_path / "kept" / side / "clock" / "model").read_text()
    assert (tmp_path / "kept" / "second-build" / "result.json").is_file()
    assert cli("verify", str(tmp_path / "build" / "b"), "--into", "kept").returncode == 2


def test_a_damaged_build_is_not_built_again(cli: Any, built: Path) -> None:
    (built / "artifacts" / "model").write_text("11")
    (built / "extra").write_text("")
    done = cli("verify", str(built))
    assert done.returncode == 8
    assert done.stdout.splitlines()[:-1] == [
        "  artifacts/model: altered",
        "  extra: not written by the build",
    ]
    assert done.stdout.splitlines()[-1].startswith("DAMAGED: 2 files are not as the build wrote them")


@pytest.mark.parametrize(
    "name",
    ["result.json", "build.lock", "log.jsonl", "steps/00-double/log.jsonl", "inputs/number.txt", ".laid", ".closed"],
)
def test_a_flipped_bit_is_named_before_anything_is_built(name: str, cli: Any, built: Path) -> None:
    with flipped(built / name, random.Random(name)):  # noqa: S311
        done = cli("verify", str(built), "--runs", "0")
    assert done.returncode == 8
    assert done.stdout.startswith(f"  {name}: ")
    assert done.stdout.splitlines()[-1].startswith("DAMAGED: 1 file is not as the build wrote it")


def test_other_executors_than_the_locked_ones_verify_nothing(
    cli: Any, built: Path, surroundings: dict[str, str], root: Path, tmp_path: Path
) -> None:
    other = tmp_path / "checkout"
    other.mkdir()
    for path in root.iterdir():
        if path.name in {"images", "testing_executor"}:
            shutil.copytree(path.resolve(), other / path.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (other / path.name).symlink_to(path.resolve())
    with (other / "testing_executor" / "arithmetic.py").open("a") as file:
        file.write("# changed\n")
    surroundings["BSKERNEL_ROOT"] = str(other)
    done = cli("verify", str(built))
    assert done.returncode == 7
    assert "executors.testing@1.sources: was" in done.stderr


def test_only_the_files_are_checked_if_nothing_is_to_be_built(cli: Any, built: Path) -> None:
    done = cli("verify", str(built), "--runs", "0")
    assert done.returncode == 0
    assert done.stdout.startswith("INTACT: ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--vary", "path,moon"), "unknown: moon"),
        (("--vary", "user", "--runtime", "docker"), "add --runtime process"),
    ],
)
def test_what_cannot_be_varied_is_refused(arguments: tuple[str, ...], told: str, cli: Any, built: Path) -> None:
    done = cli("verify", str(built), *arguments)
    assert done.returncode == 2
    assert told in done.stderr


def test_a_failed_build_is_not_verified(cli: Any, tmp_path: Path) -> None:
    text = BUILD.replace("testing:draw", "testing:misbehave") + 'parameters = { how = "raise" }\n'
    assert cli("run", write(tmp_path, text)).returncode == 3
    done = cli("verify", str(tmp_path / "build" / "b"))
    assert done.returncode == 2
    assert "the build failed" in done.stderr
