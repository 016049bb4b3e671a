"""docs/writing-an-executor.md: whoever pastes its files and types its commands gets what it shows."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "writing-an-executor.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ENDED = re.compile(r"^@@(\d+)$")


Command = tuple[str, list[str]]  # a command, and the lines that the page shows of its output


def steps_of(page: str) -> list[tuple[str, str] | list[Command]]:
    """What the page has its reader do, in order: files to write, as (path, text), and commands to type.

    A file's block begins with a comment that is a path.
    """
    found: list[tuple[str, str] | list[Command]] = []
    for language, text in BLOCK.findall(page):
        first = text.partition("\n")[0]
        if language == "console":
            found.append(commands_of(text))
        elif re.fullmatch(r"# \S+/\S+", first):
            found.append((first.removeprefix("# "), text))
    return found


def commands_of(text: str) -> list[Command]:
    """The commands of a console block."""
    commands: list[Command] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            commands.append((line[2:], []))
        elif line.startswith("> "):
            commands[-1] = (f"{commands[-1][0]}\n{line[2:]}", [])
        else:
            commands[-1][1].append(line)
    return commands


def run_block(commands: list[Command], folder: Path, surroundings: dict[str, str]) -> None:
    """Type a block's commands into one shell; each must succeed, or be followed by the status that the page shows.

    What they export stays in `surroundings`.
    """
    exported = folder / "exported"
    script = "".join(f'{command}\nstatus=$?; printf "\\n@@$status\\n"; (exit $status)\n' for command, _ in commands)
    done = subprocess.run(
        ["bash", "-c", f"{script}env -0 > {shlex.quote(str(exported))}"],
        cwd=folder,
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    for variable in exported.read_text().split("\0"):
        name, _, value = variable.partition("=")
        surroundings[name] = value
    surroundings.pop("", None)
    lines = iter(done.stdout.splitlines())
    for at, (command, shown) in enumerate(commands):
        wanted = list(shown)
        said: list[str] = []
        for line in lines:
            if ended := ENDED.match(line):
                followed = at + 1 < len(commands) and commands[at + 1][0] == "echo $?"
                assert ended[1] == "0" or followed, f"{command}\n" + "\n".join(said)
                break
            said.append(line)
            if wanted and line.split() == wanted[0].split():
                del wanted[0]
        assert not wanted, f"{command}\nshows no line {wanted[0]!r}, but\n" + "\n".join(said)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the reader types: a folder with what the page takes from a checkout."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("protocol", "executors", "examples"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.mark.env
def test_what_the_page_says_works(folder: Path, environments: Path) -> None:
    surroundings = {
        **{name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "BSKERNEL_CACHE": str(environments),
        "BSKERNEL_RUNTIME": "process",
    }
    steps = steps_of(PAGE.read_text())
    assert len(steps) > 10
    for step in steps:
        if isinstance(step, list):
            run_block(step, folder, surroundings)
        else:
            path, text = step
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
    assert (folder / "stats/build/stats/artifacts/stats.json").is_file()


def test_of_the_executor_itself_the_page_has_its_reader_write_three_files_and_one_would_do() -> None:
    written = [step[0] for step in steps_of(PAGE.read_text()) if isinstance(step, tuple)]
    own = [Path(path).name for path in written if path.startswith("onnx-stats/")]
    assert own == ["entries.py", "rules.toml", "requirements.in"]  # the latter two are for rules and other packages


def test_a_command_that_fails_or_shows_something_else_is_noticed(tmp_path: Path) -> None:
    run_block([("false", []), ("echo $?", ["1"])], tmp_path, dict(os.environ))
    with pytest.raises(AssertionError, match="false"):
        run_block([("false", [])], tmp_path, dict(os.environ))
    with pytest.raises(AssertionError, match="shows no line 'more'"):
        run_block([("echo less", ["more"])], tmp_path, dict(os.environ))
