"""docs/writing-an-executor.md: whoever pastes its files and types its commands gets what it shows."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "writing-an-executor.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
ENDED = re.compile(r"^@@(\d+)$")


def files_of(page: str) -> dict[str, str]:
    """The page's files: blocks whose first line is a comment with a path."""
    found = {}
    for language, text in BLOCK.findall(page):
        first = text.partition("\n")[0]
        if language != "console" and re.fullmatch(r"# \S+/\S+", first):
            found[first.removeprefix("# ")] = text
    return found


def commands_of(page: str) -> list[list[tuple[str, list[str]]]]:
    """By console block: each command, and the lines that the page shows of its output."""
    blocks = []
    for language, text in BLOCK.findall(page):
        if language != "console":
            continue
        commands: list[tuple[str, list[str]]] = []
        for line in text.splitlines():
            if line.startswith("$ "):
                commands.append((line[2:], []))
            elif line.startswith("> "):
                commands[-1] = (f"{commands[-1][0]}\n{line[2:]}", [])
            else:
                commands[-1][1].append(line)
        blocks.append(commands)
    return blocks


def run_block(commands: list[tuple[str, list[str]]], root: Path, surroundings: dict[str, str]) -> None:
    """Type a block's commands into one shell; each must succeed, or be followed by the status that the page shows."""
    script = "".join(f'{command}\nstatus=$?; printf "\\n@@$status\\n"; (exit $status)\n' for command, _ in commands)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=root,
        env=surroundings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
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
def checkout(tmp_path: Path) -> Path:
    """A checkout with the page's files pasted in."""
    folder = tmp_path / "checkout"
    (folder / "images").mkdir(parents=True)
    for name in ("protocol", "executors", "docker", "examples"):
        (folder / name).symlink_to(ROOT / name)
    for recipe in (ROOT / "images").iterdir():
        (folder / "images" / recipe.name).symlink_to(recipe)
    for name, text in files_of(PAGE.read_text()).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.env
def test_what_the_page_says_works(checkout: Path, environments: Path) -> None:
    variables = {
        **{name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "BSKERNEL_ROOT": str(checkout),
        "BSKERNEL_CACHE": str(environments),
        "BSKERNEL_RUNTIME": "process",
    }
    blocks = commands_of(PAGE.read_text())
    assert len(blocks) > 5
    for commands in blocks:
        run_block(commands, checkout, variables)
    assert (checkout / "stats/build/stats/artifacts/stats.json").is_file()


def test_the_page_shows_every_file_that_the_recipe_needs() -> None:
    assert set(files_of(PAGE.read_text())) == {
        "my_executors/onnx_stats/__init__.py",
        "my_executors/onnx_stats/entries.py",
        "my_executors/onnx_stats/rules.toml",
        "images/onnx-stats/1.0.0/image.toml",
        "images/onnx-stats/1.0.0/requirements.in",
        "stats/build.toml",
        "stats/estimate.toml",
        "stats/split.py",
    }


def test_a_command_that_fails_or_shows_something_else_is_noticed(tmp_path: Path) -> None:
    run_block([("false", []), ("echo $?", ["1"])], tmp_path, dict(os.environ))
    with pytest.raises(AssertionError, match="false"):
        run_block([("false", [])], tmp_path, dict(os.environ))
    with pytest.raises(AssertionError, match="shows no line 'more'"):
        run_block([("echo less", ["more"])], tmp_path, dict(os.environ))
