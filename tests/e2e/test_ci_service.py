"""What commands tell GitHub Actions: annotations beside lines of build.toml, the job's summary; and JUnit files."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from support.builds import write

GOOD = '[build]\nmodel = "number.txt"\n\n[[step]]\nname = "sum"\nentry = "testing:double"\n'
BROKEN = '[[step]]\nname = "bad"\nentry = "testing:misbehave"\nparameters = { how = "raise" }\n'


@pytest.fixture
def surroundings(surroundings: dict[str, str], tmp_path: Path) -> dict[str, str]:
    own = {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(tmp_path)}
    return surroundings | own | {"GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}


def annotations(text: str) -> list[str]:
    """The lines that GitHub obeys: none from ::stop-commands::TOKEN to ::TOKEN::."""
    obeyed, token = [], None
    for line in map(str.strip, text.splitlines()):
        if token is not None:
            token = None if line == f"::{token}::" else token
        elif line.startswith("::stop-commands::"):
            token = line.removeprefix("::stop-commands::")
        elif line.startswith("::"):
            obeyed.append(line)
    assert token is None  # what follows in the job is obeyed again
    return obeyed


def test_nothing_that_files_or_steps_name_is_obeyed(cli: Any) -> None:
    done = cli("run", "no\n::set-output name=a::b.toml")
    assert done.returncode == 2
    assert any(line.startswith("::set-output") for line in done.stderr.splitlines())
    (said,) = annotations(done.stderr)
    assert said.startswith("::error title=bskernel::")


def test_an_error_of_the_configuration_is_shown_at_its_line_and_in_junit(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    done = cli("run", write(tmp_path / "net", GOOD, "[target]\nclock = 5\n"), "--junit", "j.xml")
    assert done.returncode == 2
    (said,) = annotations(done.stderr)
    assert said.startswith("::error file=net/build.toml,line=8,title=bskernel::unknown key 'clock' at [target]")
    ((error,),) = ET.parse(tmp_path / "j.xml").getroot()[0]
    assert "unknown key" in error.attrib["message"]


def test_a_failed_step_is_shown_at_its_line_and_the_summary_begins_with_it(cli: Any, tmp_path: Path) -> None:
    done = cli("run", write(tmp_path, GOOD, BROKEN), "--json", "--junit", "j.xml")
    assert done.returncode == 3
    (said,) = annotations(done.stderr)
    assert said.startswith("::error file=build.toml,line=8,title=bskernel%3A step bad::")
    assert json.loads(done.stdout)["status"] == "failed"  # annotations leave standard output alone
    summary = (tmp_path / "summary.md").read_text()
    assert "failed" in summary.splitlines()[0]
    assert summary.index("step bad failed") < summary.index("| `bad` |")
    assert len(ET.parse(tmp_path / "j.xml").findall(".//failure")) == 1


def test_a_sweep_writes_its_points(cli: Any, tmp_path: Path) -> None:
    config = write(tmp_path, GOOD, '[sweep.grid]\n"target.target_fps" = [1, 2]\n')
    done = cli("sweep", config, "--junit", "j.xml")
    assert done.returncode == 0, done.stderr
    assert len(ET.parse(tmp_path / "j.xml").findall(".//testcase")) == 2
    assert "sweep number" in (tmp_path / "summary.md").read_text()


def test_gitlab_s_report_has_what_points_to_a_file(cli: Any, surroundings: dict[str, str], tmp_path: Path) -> None:
    del surroundings["GITHUB_ACTIONS"], surroundings["GITHUB_WORKSPACE"]
    surroundings |= {"CI_PROJECT_DIR": str(tmp_path), "BSKERNEL_CODE_QUALITY": str(tmp_path / "q.json")}
    assert cli("run", write(tmp_path, GOOD, BROKEN)).returncode == 3
    assert cli("run", write(tmp_path, GOOD, "[target]\nclock = 5\n")).returncode == 2
    failed, wrong = json.loads((tmp_path / "q.json").read_text())  # a job's commands add to it
    assert failed["location"] == {"path": "build.toml", "lines": {"begin": 8}}
    assert "unknown key" in wrong["description"]
    assert failed["fingerprint"] != wrong["fingerprint"]


def test_without_the_variable_nothing_is_annotated(cli: Any, surroundings: dict[str, str], tmp_path: Path) -> None:
    del surroundings["GITHUB_ACTIONS"]
    done = cli("run", write(tmp_path, GOOD, BROKEN))
    assert done.returncode == 3
    assert annotations(done.stderr + done.stdout) == []
    assert not (tmp_path / "summary.md").exists()


def test_a_summary_that_cannot_be_written_fails_no_build(
    cli: Any, surroundings: dict[str, str], tmp_path: Path
) -> None:
    surroundings["GITHUB_STEP_SUMMARY"] = str(tmp_path / "nowhere" / "summary.md")
    done = cli("run", write(tmp_path, GOOD))
    assert done.returncode == 0
    assert "the summary of the job cannot be written" in done.stderr
