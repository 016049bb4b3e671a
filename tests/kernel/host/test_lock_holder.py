"""Who holds a lock, and waiting for it no longer than its holder can end it."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from bskernel.host.lock_holder import HolderStoppedError, find_holder, lock
from bskernel.store.claims import Claims
from bskernel_protocol import digest_of_bytes

HOLD = """
import fcntl, sys, time
held = open(sys.argv[1], "w")
fcntl.flock(held, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(600)
"""
CLAIM = """
import sys, time
from pathlib import Path
from bskernel.store.claims import Claims
from bskernel_protocol import digest_of_bytes
with Claims(Path(sys.argv[1])).attempt(digest_of_bytes(b"a")):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "lock").touch()
    return tmp_path / "lock"


def begin(code: str, path: Path) -> "subprocess.Popen[str]":
    holder = subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    return holder


@pytest.fixture
def holder(path: Path) -> Iterator["subprocess.Popen[str]"]:
    with begin(HOLD, path) as holder:
        yield holder
        holder.kill()


def test_nobody_holds_a_lock_that_is_free(path: Path) -> None:
    assert find_holder(path) is None
    assert find_holder(path.with_name("gone")) is None


def test_the_holder_is_named_with_its_command_and_state(path: Path, holder: "subprocess.Popen[str]") -> None:
    found = find_holder(path)
    assert found is not None
    assert found.pid == holder.pid
    assert not found.stopped
    assert str(holder.pid) in str(found)
    os.kill(holder.pid, signal.SIGSTOP)
    found = find_holder(path)
    assert found is not None
    assert found.stopped


def test_a_lock_that_a_stopped_process_holds_is_given_up_and_says_how_to_go_on(
    path: Path, holder: "subprocess.Popen[str]"
) -> None:
    os.kill(holder.pid, signal.SIGSTOP)
    said: list[str] = []
    with path.open() as file, pytest.raises(HolderStoppedError, match=f"process {holder.pid}") as caught:
        lock(file.fileno(), fcntl.LOCK_SH, path, said.append)
    assert f"kill -CONT {holder.pid}" in caught.value.hint
    assert len(said) == 1


def test_a_lock_is_ours_once_its_holder_has_ended(path: Path, holder: "subprocess.Popen[str]") -> None:
    with path.open() as file:
        holder.kill()
        lock(file.fileno(), fcntl.LOCK_EX, path)
        with path.open() as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_the_process_that_claims_an_action_is_named_and_no_other_claim_is_its(path: Path) -> None:
    with begin(CLAIM, path) as holder:
        claimant = Claims(path).claimant(digest_of_bytes(b"a"))
        assert claimant is not None
        assert f"process {holder.pid}" in claimant.what
        assert Claims(path).claimant(digest_of_bytes(b"b")) is None
        holder.kill()
