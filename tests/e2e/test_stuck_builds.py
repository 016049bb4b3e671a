"""What would never answer ends as its own failure, and nothing that a step started outlives its session."""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from bskernel.host.process import signs_of
from bskernel.runtime.warm.registry import SessionRegistry
from support.builds import result_of, write
from support.eventually import eventually

MISBEHAVE = """
[build]
model = "number.txt"
[[step]]
entry = "testing:misbehave"
parameters = {{ how = "{how}" }}
"""
COUNT = """
[build]
model = "number.txt"
[[step]]
entry = "testing:count"
parameters = {{ word = "w", folder = "{folder}" }}
"""
_DAEMON = b"sleep\x003600.25\x00"  # what the testing executor's steps leave


def daemons() -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "cmdline").read_bytes() == _DAEMON:
                found.append(int(folder.name))
    return found


@pytest.mark.in_both
@pytest.mark.parametrize(
    ("how", "categories"),
    [
        ("stop-server", {"crash"}),
        ("interrupt-server", {"crash"}),
        ("kill-server", {"crash"}),
        ("kill-server-group", {"crash"}),
        ("nested-frame", {"executor"}),
        ("half-frame", {"crash"}),
        ("huge-frame", {"executor"}),
        ("stop-itself", {"crash"}),
    ],
)
def test_a_step_that_turns_against_its_server_fails_its_build_and_leaves_nothing(
    begin: Any, tmp_path: Path, cache: Path, how: str, categories: set[str]
) -> None:
    before = set(daemons())
    # Without a time limit: the step sleeps for an hour. `eventually` bounds what the test waits for.
    kernel = begin("run", write(tmp_path, MISBEHAVE.format(how=how)))
    eventually(lambda: kernel.poll() is not None)
    assert kernel.returncode == 3
    # Where a step may not reach its server, that fails it as any other error does.
    assert result_of(tmp_path / "build" / "number")["failure"]["category"] in {*categories, "transform"}
    assert set(daemons()) <= before
    assert list((cache / "sessions").iterdir()) == []


@pytest.fixture
def counted(tmp_path: Path) -> Path:
    """A build whose step waits until hold/w-6 is gone."""
    for name in ("runs", "began", "done", "hold"):
        (tmp_path / name).mkdir()
    (tmp_path / "hold" / "w-6").touch()
    return tmp_path


def test_an_action_that_a_stopped_build_has_claimed_runs_in_the_next(begin: Any, cli: Any, counted: Path) -> None:
    config = write(counted, COUNT.format(folder=counted))
    first = begin("run", config, "--output", "first")
    eventually(lambda: list((counted / "began").iterdir()))
    os.kill(first.pid, signal.SIGSTOP)
    (counted / "hold" / "w-6").unlink()
    second = cli("run", config, "--output", "second", "--verbose")
    assert second.returncode == 0
    assert f"process {first.pid}" in second.stderr
    assert "stopped by a signal" in second.stderr
    os.kill(first.pid, signal.SIGCONT)
    assert first.wait(60) == 0
    assert len(list((counted / "done").iterdir())) == 2


def test_an_action_that_a_living_build_has_claimed_is_waited_for(begin: Any, counted: Path) -> None:
    config = write(counted, COUNT.format(folder=counted))
    first = begin("run", config, "--output", "first")
    eventually(lambda: list((counted / "began").iterdir()))
    second = begin("run", config, "--output", "second", "--verbose")
    eventually(lambda: f"process {first.pid}" in (counted / "begun.out").read_text())
    time.sleep(8)  # longer than one waits for a stopped process
    (counted / "hold" / "w-6").unlink()
    assert (first.wait(60), second.wait(60)) == (0, 0)
    assert len(list((counted / "done").iterdir())) == 1


@pytest.fixture
def stopped(cli: Any, cache: Path) -> int:
    """A warm session whose daemon is stopped; its PID."""
    assert cli("up", "testing").returncode == 0
    ((_, record),) = SessionRegistry(cache).all()
    os.kill(record.keeper.pid, signal.SIGSTOP)
    return record.keeper.pid


def test_a_run_goes_on_without_a_warm_session_that_is_stopped_and_down_ends_it(
    cli: Any, tmp_path: Path, cache: Path, stopped: int
) -> None:
    began = time.monotonic()
    done = cli("run", write(tmp_path, '[build]\nmodel = "number.txt"\n[[step]]\nentry = "testing:double"\n'))
    assert done.returncode == 0
    assert "was stopped by a signal: `bskernel down` ends it" in done.stderr
    assert "stopped" in cli("up").stdout
    assert cli("down").returncode == 0
    assert time.monotonic() - began < 60  # one answer alone was waited for as long as that
    assert signs_of(stopped).state == "gone"
    assert list((cache / "sessions").iterdir()) == []
    assert list((cache / "kept").iterdir()) == []


def test_a_run_whose_keeper_is_stopped_meanwhile_goes_on_in_a_session_of_its_own(
    cli: Any, begin: Any, counted: Path, cache: Path
) -> None:
    assert cli("up", "testing").returncode == 0
    ((_, record),) = SessionRegistry(cache).all()
    run = begin("run", write(counted, COUNT.format(folder=counted)))
    eventually(lambda: list((counted / "began").iterdir()))
    os.kill(record.keeper.pid, signal.SIGSTOP)
    eventually(lambda: len(list((counted / "began").iterdir())) == 2)
    (counted / "hold" / "w-6").unlink()
    assert run.wait(60) == 0
    assert cli("down").returncode == 0
    assert list((cache / "sessions").iterdir()) == []


@pytest.mark.parametrize("name", ["claims", "in-use", "files.msgpack", "sessions", "kept", "unchanged"])
def test_a_fifo_in_the_cache_stops_no_command(cli: Any, begin: Any, tmp_path: Path, cache: Path, name: str) -> None:
    os.mkfifo(cache / name)
    config = write(tmp_path, '[build]\nmodel = "number.txt"\n[[step]]\nentry = "testing:double"\n')
    for arguments in (("plan", config), ("run", config), ("up",), ("store", "stat")):
        assert begin(*arguments).wait(90) in {0, 2, 3, 4}
    assert "Traceback" not in (tmp_path / "begun.out").read_text()
