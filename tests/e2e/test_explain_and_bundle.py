"""What a build directory tells afterwards: `bskernel explain` and `bskernel bundle`, by the command line."""

import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

BUILD = """
[build]
name = "b"
model = "number.txt"
[target]
target_fps = {fps}
[[step]]
entry = "testing:double"
[[step]]
entry = "testing:add"
[[step]]
entry = "testing:measure"
[[step]]
name = "later"
entry = "testing:double"
"""
LEAKED = "value-of-the-environment"


@pytest.fixture
def failed(cli: Any, tmp_path: Path) -> Path:
    """The directory of a build whose step `measure` has failed."""
    (tmp_path / "number.txt").write_text("5")
    (tmp_path / "build.toml").write_text(BUILD.format(fps=3))
    assert cli("run", str(tmp_path / "build.toml")).returncode == 3
    return tmp_path / "build" / "b"


def test_the_step_that_failed_is_explained_with_facts_and_commands(cli: Any, failed: Path) -> None:
    done = cli("explain", str(failed))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("step measure: failed, ")
    assert "  verification: 13 is more than one digit" in lines
    assert "  -> add less" in lines
    assert '    decided_by = "entry"' in lines
    assert any(line.startswith("    model (file) ") for line in lines)
    assert f"  try: bskernel replay {failed} measure" in lines


def test_the_lines_around_the_first_error_of_a_log_are_shown(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "number.txt").write_text("5")
    log = [f"INFO: step {number}" for number in range(40)]
    log[20] = "ERROR: [Place 30-640] Place Check : This design requires more LUT cells."
    (tmp_path / "tool.log").write_text("\n".join(log))
    (tmp_path / "build.toml").write_text(
        '[build]\nname = "b"\nmodel = "number.txt"\n'
        '[[step]]\nentry = "testing:recorded-tool"\ninputs = { log = "tool.log" }\n'
    )
    assert cli("run", str(tmp_path / "build.toml")).returncode == 3
    told = json.loads(cli("explain", str(tmp_path / "build" / "b"), "--json").stdout)
    assert told["failure"]["facts"]["rule"] == "does-not-fit"
    assert log[20] in told["excerpt"]
    assert log[16] in told["excerpt"]
    assert log[3] not in told["excerpt"]


def test_a_step_that_succeeded_is_told_by_what_it_was(cli: Any, failed: Path) -> None:
    told = json.loads(cli("explain", str(failed), "add", "--json").stdout)
    assert (told["status"], told["entry"], told["parameters"]) == ("ran", "add", {"number": 3})
    assert [item["name"] for item in told["inputs"]] == ["model"]
    assert told["outputs"][0]["digest"]["size"] == 2
    assert told["failure"] is None
    assert told["key"] is not None
    assert len(told["executor_digest"]) == 64
    text = cli("explain", str(failed), "1").stdout
    assert "number = 3" in text
    assert told["key"] in text


def test_a_step_that_was_skipped_says_because_of_which(cli: Any, failed: Path) -> None:
    assert "because step measure did not succeed" in cli("explain", str(failed), "later").stdout


def test_what_cannot_be_explained_is_refused_with_the_choices(cli: Any, failed: Path, tmp_path: Path) -> None:
    done = cli("explain", str(failed), "ad")
    assert (done.returncode, "double, add, measure, later" in done.stderr) == (2, True)
    done = cli("explain", str(tmp_path))
    assert (done.returncode, "is not a build directory" in done.stderr) == (2, True)
    (failed / "result.json").unlink()
    assert "is running, or was killed" in cli("explain", str(failed)).stderr


def test_a_build_that_succeeded_is_explained_step_by_step(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "number.txt").write_text("1")
    (tmp_path / "build.toml").write_text(BUILD.format(fps=1))
    assert cli("run", str(tmp_path / "build.toml")).returncode == 0
    text = cli("explain", str(tmp_path / "build" / "b")).stdout
    assert text.startswith("b: ok, 4 steps")
    assert "later" in text


def files_of(bundle: Path) -> dict[str, bytes]:
    with tarfile.open(bundle) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar.getmembers()}  # type: ignore[union-attr]


def test_a_bundle_holds_what_a_report_needs_and_nothing_private(
    cli: Any, failed: Path, tmp_path: Path, surroundings: dict[str, str]
) -> None:
    log = failed / "steps" / "01-add" / "log.jsonl"
    log.write_text(
        log.read_text()
        + json.dumps({"seconds": 0.1, "stream": "stdout", "text": f"with {LEAKED} at {tmp_path}"})
        + "\n"
    )
    surroundings["SOME_API_TOKEN"] = LEAKED
    done = cli("bundle", str(failed), "--output", "report.tar.gz", "--redact", "one digit")
    assert done.returncode == 0, done.stderr
    files = files_of(tmp_path / "report.tar.gz")
    names = {name.removeprefix("bundle/") for name in files}
    assert {"CONTENTS.txt", "machine.json", "result.json", "config.json", "failure.txt", "log.jsonl"} <= names
    assert {"steps/01-add/log.jsonl", "steps/01-add/manifest.json", "steps/02-measure/manifest.json"} <= names
    assert not any("artifacts" in name or name.endswith(".onnx") for name in names)
    everything = b"\n".join(files.values())
    for private in (LEAKED, str(tmp_path), str(Path.home()) + "/", "one digit"):
        assert private.encode() not in everything
    machine = json.loads(files["bundle/machine.json"])
    assert len(machine["executors"]["testing@1"]["digest"]) == 64
    assert machine["system"]["kernel"]
    result = json.loads(files["bundle/result.json"])
    assert result["failure"]["category"] == "verification"
    assert "removed:" in done.stdout
    cli("bundle", str(failed), "--output", "again.tar.gz", "--redact", "one digit")
    assert (tmp_path / "again.tar.gz").read_bytes() == (tmp_path / "report.tar.gz").read_bytes()


def test_the_model_is_included_only_when_asked_for(cli: Any, failed: Path, tmp_path: Path) -> None:
    assert cli("bundle", str(failed), "--with-model").returncode == 0
    assert files_of(tmp_path / "b.bskernel.tar.gz")["bundle/model.onnx"] == b"5"
    done = cli("bundle", str(tmp_path))
    assert (done.returncode, "not a build directory" in done.stderr) == (2, True)
