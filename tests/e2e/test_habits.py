"""What users need not type or know: defaults, quiet runs, folders of their own, signs of life."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support.builds import write
from support.paths import BSKERNEL

STEP = '[[step]]\nentry = "testing:double"\n'
BUILD = f'build.model = "number.txt"\n{STEP}'
FAILS = '[[step]]\nname = "odd"\nentry = "testing:misbehave"\nparameters = {how = "raise"}\n'


def test_a_folder_with_a_build_toml_needs_no_arguments(cli: Any, tmp_path: Path) -> None:
    write(tmp_path, BUILD)
    planned = cli("plan")
    assert planned.returncode == 0, planned.stderr
    assert "double" in planned.stdout
    assert cli("run").returncode == 0
    assert (tmp_path / "build" / "number" / "artifacts" / "model").read_text() == "10"
    explained = cli("explain")
    assert "number: ok, 1 steps" in explained.stdout
    assert explained.stderr == "build: build/number\n"
    assert "step double: ran" in cli("explain", "double").stdout
    assert "step double: ran" in cli("explain", "build/number", "0").stdout
    compared = cli("diff", "build/number")
    assert compared.returncode == 0, compared.stderr
    unknown = cli("explain", "doubel")
    assert unknown.returncode == 2
    assert "unknown step 'doubel'" in unknown.stderr
    nothing = cli("replay")
    assert nothing.returncode == 2
    assert "build/number: no step failed" in nothing.stderr


@pytest.mark.parametrize(
    ("files", "hint"),
    [
        ((), "bskernel init MODEL"),
        (("net.onnx",), "bskernel init net.onnx"),
        (("slow.toml", "pyproject.toml", "net.onnx"), "here are: slow.toml\n"),
    ],
)
def test_a_folder_without_one_is_told_what_is_there(cli: Any, tmp_path: Path, files: Any, hint: str) -> None:
    for name in files:
        (tmp_path / name).write_text(BUILD if name == "slow.toml" else "")
    for command in ("run", "plan", "sweep"):
        done = cli(command)
        assert done.returncode == 2
        assert f"no build.toml in {tmp_path}" in done.stderr
        assert hint in done.stderr
    done = cli("explain")
    assert done.returncode == 2
    assert "bskernel run" in done.stderr


def test_several_builds_without_a_build_toml_are_listed(cli: Any, tmp_path: Path) -> None:
    write(tmp_path, BUILD)
    (tmp_path / "build.toml").rename(tmp_path / "one.toml")
    (tmp_path / "two.toml").write_text(BUILD)
    assert cli("run", "one.toml").returncode == 0
    assert "one: ok" in cli("explain").stdout
    assert cli("run", "two.toml").returncode == 0
    done = cli("explain")
    assert done.returncode == 2
    assert "build/one" in done.stderr
    assert "build/two" in done.stderr


def test_a_build_toml_stands_for_its_build_wherever_a_build_is_asked_for(cli: Any, tmp_path: Path) -> None:
    write(tmp_path, BUILD)
    none = cli("report", "build.toml")
    assert none.returncode == 2
    assert "build.toml has no build yet" in none.stderr
    assert "bskernel run build.toml" in none.stderr
    (tmp_path / "build.toml").rename(tmp_path / "one.toml")
    assert cli("run", "one.toml").returncode == 0
    (tmp_path / "build.toml").write_text(f"build.name = 'other'\n{BUILD}")
    page = cli("report", "one.toml")
    assert (page.stdout, page.stderr) == ("build/one/report.html\n", "build: build/one\n")
    assert "step double: ran" in cli("explain", "one.toml", "double").stdout
    assert cli("diff", "one.toml", "build/one").returncode == 0
    assert cli("builds", "show", "one.toml").returncode == 0


def test_a_folder_that_no_result_can_name_is_refused_before_anything_runs(cli: Any, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"odd\xff")
    odd.mkdir()
    write(tmp_path, BUILD)
    for arguments in ([write(odd, BUILD)], ["build.toml", "--output", str(odd / "out")]):
        done = cli("run", *arguments)
        assert done.returncode == 2
        assert "odd\\xff" in done.stderr
        assert "is not UTF-8" in done.stderr
        assert not (odd / "out").exists()
        assert not (odd / "build").exists()


def test_quiet_leaves_warnings_and_the_path_of_the_result(cli: Any, tmp_path: Path) -> None:
    write(tmp_path, BUILD)
    done = cli("run", "-q", "--set", "target.clock_ns=90")
    assert (done.returncode, done.stdout) == (0, f"{tmp_path / 'build' / 'number'}\n")
    lines = done.stderr.splitlines()
    assert all(line.startswith("warning: ") for line in lines)
    assert sum("clock_ns" in line for line in lines) == 1
    both = cli("run", "-q", "-v")
    assert both.returncode == 2
    assert "--verbose and --quiet" in both.stderr


def test_quiet_says_why_a_build_failed_with_the_same_exit_code(cli: Any, tmp_path: Path) -> None:
    write(tmp_path, BUILD, FAILS)
    loud, quiet = cli("run"), cli("run", "-q", "--fresh")
    assert loud.returncode == quiet.returncode == 3
    assert "step odd failed" in quiet.stdout
    assert quiet.stdout.splitlines()[-1] == str(tmp_path / "build" / "number")


def test_off_a_terminal_a_step_has_a_line_when_it_starts(cli: Any, tmp_path: Path) -> None:
    write(tmp_path, BUILD)
    lines = cli("run").stderr.splitlines()
    started = next(at for at, line in enumerate(lines) if line.split()[:2] == ["started", "double"])
    assert any(line.split()[0] == "ran" for line in lines[started + 1 :])
    assert "started" not in cli("run").stderr  # recalled


def test_results_of_another_file_are_not_replaced_wherever_they_are(cli: Any, tmp_path: Path) -> None:
    write(tmp_path, BUILD)
    other = tmp_path / "other"
    other.mkdir()
    write(other, BUILD)
    for arguments in (["--output", "out"], ["--set", f'build.output="{tmp_path / "out"}"']):
        assert cli("run", "build.toml", *arguments).returncode == 0
        before = (tmp_path / "out" / "result.json").read_bytes()
        done = cli("run", "other/build.toml", *arguments)
        assert done.returncode == 2
        assert f"{other}/build.toml: {tmp_path}/out holds the results of ../build.toml" in done.stderr
        assert (tmp_path / "out" / "result.json").read_bytes() == before
    assert cli("run", "build.toml", "--output", "out").returncode == 0


def test_a_folder_made_for_results_ignores_itself_in_git_and_one_of_the_user_does_not(
    cli: Any, tmp_path: Path
) -> None:
    write(tmp_path, BUILD)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "notes.txt").write_text("")
    for arguments in ([], ["--set", "build.name=second"], ["--output", "made/of/many"], ["--output", "mine/out"]):
        assert cli("run", *arguments).returncode == 0
    shown = subprocess.run(
        ["git", "-C", str(tmp_path), "status", "--short", "-uall"], capture_output=True, text=True, check=True
    ).stdout
    assert {line for line in shown.split() if not line.startswith("cache")} == {
        "??",
        "build.toml",
        "number.txt",
        "mine/notes.txt",
    }
    assert not (mine / ".gitignore").exists()
    assert [path.parent.name for path in (tmp_path / "build").rglob(".gitignore")] == ["build"]
    (tmp_path / "build" / ".gitignore").unlink()
    assert cli("run").returncode == 0
    assert not (tmp_path / "build" / ".gitignore").exists()


def test_steps_are_listed_as_json_too(cli: Any) -> None:
    listed = json.loads(cli("steps", "--json").stdout)
    assert [(item["name"], item["version"], item["default"]) for item in listed] == [("testing", "1", True)]
    assert "double" in listed[0]["entries"]


def test_colours_follow_the_variables_everywhere(surroundings: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path, BUILD)
    plain = {name: value for name, value in surroundings.items() if not name.startswith(("NO_COL", "FORCE", "CLI"))}

    def shown(*arguments: str, **variables: str) -> bytes:
        command = [BSKERNEL, "run", *arguments]
        done = subprocess.run(command, capture_output=True, check=False, cwd=tmp_path, env=plain | variables)
        assert done.returncode == 0
        return done.stdout + done.stderr

    for arguments in (["--set", "target.clock_ns=90"], ["-v", "--set", "target.clock_ns=90"]):
        assert b"\x1b" not in shown(*arguments)
        assert b"\x1b[33m" in shown(*arguments, FORCE_COLOR="1")
        assert b"\x1b" in shown(*arguments, CLICOLOR_FORCE="1")
        assert b"\x1b" not in shown(*arguments, FORCE_COLOR="1", NO_COLOR="1")
