"""However a command's streams are given to it, it ends by itself, with an exit code that says how."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from support.builds import write
from support.paths import BSKERNEL

STEP = '\n[[step]]\nentry = "testing:double"\n'
BUILD = f'[build]\nname = "b"\nmodel = "number.txt"\n{STEP}'
SWEEP = f"{BUILD}[sweep.grid]\n'build.salt' = ['a', 'b']\n"
# Every command, and its exit code where its streams are sound.
COMMANDS = [
    (("--help",), 0),
    (("run", "build.toml"), 0),
    (("run", "none.toml"), 2),
    (("plan", "build.toml"), 0),
    (("sweep", "sweep.toml"), 0),
    (("results", "build/b-sweep"), 0),
    (("results", "build/none"), 2),
    (("diff", "build/b", "build/b"), 0),
    (("explain", "build/b"), 0),
    (("bundle", "build/b"), 0),
    (("doctor",), 0),
    (("steps",), 0),
    (("images", "list"), 0),
    (("store", "stat"), 0),
    (("store", "check"), 0),
    (("store", "gc", "--dry-run"), 0),
    (("schema", "config"), 0),
    (("lock", "build.toml"), 0),
    (("verify", "build/b", "--runs", "0"), 0),
    (("export", "build/b", "--sbom"), 0),
    (("up",), 0),
    (("down",), 0),
    (("blueprint", "export", "build.toml"), 2),
    (("unknown",), 2),
]
SILENT = {"down"}  # has nothing to say here


@pytest.fixture
def folder(surroundings: Mapping[str, str], tmp_path: Path) -> Path:
    """A folder with a finished build and a finished sweep."""
    write(tmp_path, BUILD)
    (tmp_path / "sweep.toml").write_text(SWEEP)
    for command in (("run", "build.toml"), ("sweep", "sweep.toml")):
        subprocess.run([BSKERNEL, *command], env=surroundings, cwd=tmp_path, check=True, capture_output=True)
    return tmp_path


def ends(folder: Path, variables: Mapping[str, str], arguments: tuple[str, ...], streams: str) -> tuple[int, str]:
    """The exit code, and what it says on standard error, of a command with streams as a shell gives them."""
    said = folder / "said.txt"
    said.write_text("")
    script = f'exec "$0" "$@" {streams}'.replace("SAID", str(said))
    done = subprocess.run(["sh", "-c", script, BSKERNEL, *arguments], cwd=folder, env=variables, timeout=300)
    return done.returncode, said.read_text()


def test_every_command_ends_as_it_should_whatever_its_streams_are(
    folder: Path, surroundings: Mapping[str, str]
) -> None:
    wrong = []
    for arguments, sound in COMMANDS:
        lost = 4 if sound == 0 and arguments[0] not in SILENT else sound
        for streams, expected in (
            ("</dev/null >/dev/full 2>SAID", lost),
            ("</dev/null >&- 2>SAID", lost),
            ("<&- >/dev/null 2>/dev/full", sound),
            *([("<&- >&- 2>&-", lost), (">/dev/null 2>&-", sound)] if arguments[0] in {"run", "up"} else []),
        ):
            code, said = ends(folder, surroundings, arguments, streams)
            unsaid = code == 4 and "SAID" in streams and "standard output cannot be written" not in said
            if code != expected or unsaid or "Traceback" in said or "Exception ignored" in said:
                wrong.append((arguments, streams, code, expected, said))
    assert wrong == []


@pytest.mark.parametrize("arguments", [("steps",), ("run", "build.toml"), ("sweep", "sweep.toml"), ("--help",)])
def test_a_reader_that_goes_away_ends_a_command_without_a_word(
    folder: Path, surroundings: Mapping[str, str], arguments: tuple[str, ...]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [BSKERNEL, *arguments], cwd=folder, env=surroundings, stdout=writing, stderr=subprocess.PIPE, timeout=120
    )
    os.close(writing)
    assert done.returncode == 141
    assert b"error" not in done.stderr
    assert b"Traceback" not in done.stderr


def test_a_slow_reader_of_a_stream_that_does_not_block_gets_everything(
    folder: Path, surroundings: Mapping[str, str]
) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    command = [BSKERNEL, "schema", "config"]
    whole = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, check=True).stdout
    begun = subprocess.Popen(command, cwd=folder, env=surroundings, stdout=writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        assert stream.read() == whole
    assert begun.wait(60) == 0


def test_no_file_of_a_build_gets_the_number_of_a_closed_stream(folder: Path, surroundings: Mapping[str, str]) -> None:
    """Else what a child process prints would lie in a file of the cache."""
    (folder / "build.toml").write_text(BUILD + STEP.replace("double", "add"))
    assert ends(folder, surroundings, ("run", "build.toml"), "<&- >&- 2>&-")[0] == 4
    code, said = ends(folder, surroundings, ("store", "check"), ">/dev/null 2>SAID")
    assert (code, said) == (0, "")
    assert ends(folder, surroundings, ("run", "build.toml"), ">SAID 2>&1")[0] == 0
