"""Completion as the shells ask for it: bash, zsh and fish where they are installed."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from support.builds import write

BUILD = """
build.model = "number.txt"
[[step]]
name = "first"
entry = "testing:double"
[[step]]
name = "second"
entry = "testing:add"
"""
Complete = Callable[[str], list[str]]

# Calls the function that the script registered, as readline does, and prints what it offers.
BASH = """
eval "$(bskernel completion bash)"
compopt() { :; }
COMP_LINE=$1 COMP_POINT=${#1}
$(complete -p bskernel | sed 's/.*-F \\([^ ]*\\) .*/\\1/') bskernel
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def variables(surroundings: dict[str, str], tmp_path: Path) -> dict[str, str]:
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return surroundings | {"PATH": programs, "HOME": str(tmp_path / "home"), "SHELL": "/bin/bash"}


@pytest.fixture
def in_bash(variables: dict[str, str], tmp_path: Path) -> Complete:
    write(tmp_path, BUILD)
    (tmp_path / "home").mkdir()

    def complete(line: str) -> list[str]:
        done = subprocess.run(
            ["bash", "--norc", "-c", BASH, "bash", line],
            capture_output=True,
            text=True,
            check=True,
            cwd=tmp_path,
            env=variables,
        )
        assert done.stderr == ""
        return done.stdout.split()

    return complete


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("bskernel re", ["results", "report", "replay"]),
        ("bskernel run bu", ["build.toml"]),
        ("bskernel run --from ", ["first", "second"]),
        ("bskernel run build.toml --to=se", ["second"]),
        ("bskernel run --set build.fl", ["build.flow="]),
        ("bskernel run --set build.flow=est", ["estimate"]),
        ("bskernel run -q --set=quality.verify=", ["stages", "steps", "off"]),
        ("bskernel run --set executors.testing=", ["1"]),
        ("bskernel run --set parameters.testing.num", ["parameters.testing.number="]),
        ("bskernel run --runtime p", ["process"]),
        ("bskernel run --cluster s", ["slurm"]),
        ("bskernel steps t", ["testing"]),
        ("bskernel steps testing@", ["1"]),
        ("bskernel store p", ["pull", "push"]),
        ("bskernel completion f", ["fish"]),
        ("bskernel explain nothing-begins-so", []),
    ],
)
def test_bash_completes(in_bash: Complete, line: str, offered: list[str]) -> None:
    assert sorted(in_bash(line)) == sorted(offered)


def test_bash_completes_builds_and_their_steps(in_bash: Complete, variables: dict[str, str], tmp_path: Path) -> None:
    subprocess.run(["bskernel", "run", "-q"], check=True, cwd=tmp_path, env=variables, capture_output=True)
    assert in_bash("bskernel explain fi") == ["first"]
    assert in_bash("bskernel explain ") == ["first", "second", "build/number"]
    assert in_bash("bskernel diff b") == ["build/number"]
    assert in_bash("bskernel explain build/number se") == ["second"]
    (tmp_path / "build.toml").write_text("this is no TOML")
    assert in_bash("bskernel run --from ") == []
    assert in_bash("bskernel explain build/number se") == ["second"]


def test_a_completion_starts_no_executor_and_imports_little(variables: dict[str, str], tmp_path: Path) -> None:
    write(tmp_path, BUILD)
    code = "import sys; from bskernel.cli import main\ntry:\n    main()\nfinally:\n    print(*sys.modules)"
    asked = {"_BSKERNEL_COMPLETE": "bash_complete", "COMP_LINE": "bskernel run --set parameters.testing.n"}
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.argv[0] = 'bskernel'\n{code}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=variables | asked,
    )
    assert "plain,parameters.testing.number=" in done.stdout
    loaded = set(done.stdout.split())
    assert "bskernel.images" in loaded
    assert loaded.isdisjoint({"docker", "rich", "uv", "yaml", "lark", "structlog", "bskernel.workspace.workspace"})


def test_executors_of_one_s_own_are_completed(in_bash: Complete, variables: dict[str, str], tmp_path: Path) -> None:
    subprocess.run(["bskernel", "new-executor", "net-size"], cwd=tmp_path, env=variables, check=True)
    assert in_bash("bskernel steps net") == []
    variables["BSKERNEL_RECIPES"] = str(tmp_path / "net-size")
    assert in_bash("bskernel steps net") == ["net-size"]
    assert in_bash("bskernel run --set parameters.net-size.max") == ["parameters.net-size.max_kib="]


def test_fish_completes(variables: dict[str, str], tmp_path: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    write(tmp_path, BUILD)
    command = "bskernel completion fish | source; complete -C 'bskernel run --from s'; complete -C 'bskernel run bu'"
    done = subprocess.run(
        ["fish", "-c", command], capture_output=True, text=True, check=True, cwd=tmp_path, env=variables
    )
    assert done.stdout.split() == ["second", "build.toml"]


def test_zsh_completes(variables: dict[str, str], tmp_path: Path) -> None:
    if shutil.which("zsh") is None:
        pytest.skip("zsh is not installed")
    write(tmp_path, BUILD)
    # What the script would offer: the functions of zsh's that show it only work at a prompt.
    command = (
        'autoload -Uz compinit && compinit -u -d zcompdump; eval "$(bskernel completion zsh)"; '
        "compadd() { print -l -- ${(P)@[-1]} }; _path_files() { }; "
        "words=(bskernel run --from s) CURRENT=4; _bskernel_completion; "
        "words=(bskernel run bu) CURRENT=3; _bskernel_completion"
    )
    done = subprocess.run(
        ["zsh", "-f", "-c", command], capture_output=True, text=True, check=True, cwd=tmp_path, env=variables
    )
    assert done.stdout.split() == ["second", "build.toml"]


@pytest.mark.parametrize(("shell", "start"), [("bash", ".bashrc"), ("zsh", ".zshrc")])
def test_one_command_installs_it_once_and_keeps_what_is_there(
    variables: dict[str, str], tmp_path: Path, shell: str, start: str
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / start).write_text("# mine")
    plain = {name: value for name, value in variables.items() if name not in {"XDG_DATA_HOME", "ZDOTDIR"}}
    for _ in range(2):
        done = subprocess.run(
            ["bskernel", "completion", shell, "--install"], capture_output=True, text=True, check=True, env=plain
        )
        assert str(home / start) in done.stdout
    mine, line = (home / start).read_text().splitlines()
    assert mine == "# mine"
    script = home / ".local" / "share" / "bskernel" / f"completion.{shell}"
    assert str(script) in line
    if shell == "bash":
        shown = subprocess.run(
            ["bash", "--rcfile", str(home / start), "-i", "-c", "complete -p bskernel"],
            capture_output=True,
            text=True,
            check=True,
            env=plain,
        )
        assert shown.stdout == "complete -o nosort -F _bskernel_completion bskernel\n"


def test_a_shell_without_completion_is_refused_with_the_choices(variables: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        ["bskernel", "completion"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=variables | {"SHELL": "/bin/tcsh"},
    )
    assert done.returncode == 2
    assert "no completion for the shell 'tcsh'\n  -> name one of bash, zsh, fish" in done.stderr
