"""Temporary files say who writes them."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bskernel.host.temporary import is_left, mark
from hypothesis import given
from hypothesis import strategies as st

MARK_OF_ANOTHER = "from bskernel.host.temporary import mark; print(mark())"


def test_what_a_living_process_writes_is_not_left() -> None:
    assert not is_left(Path(f"a{mark()}"))


def test_what_a_process_wrote_that_has_ended_is_left() -> None:
    done = subprocess.run([sys.executable, "-c", MARK_OF_ANOTHER], capture_output=True, text=True, check=True)
    assert is_left(Path(f"a{done.stdout.strip()}"))


def test_another_process_with_the_same_pid_is_not_its_writer() -> None:
    *place, pid, started, rest = mark().removeprefix(".tmp-").split("-")
    assert int(pid) == os.getpid()
    assert is_left(Path(f"a.tmp-{'-'.join(place)}-{pid}-{int(started) - 1}-{rest}"))


def test_what_this_machine_wrote_before_it_booted_is_left() -> None:
    machine, _, *rest = mark().removeprefix(".tmp-").split("-")
    assert is_left(Path(f"a.tmp-{machine}-00000000-{'-'.join(rest)}"))


def test_what_another_machine_writes_is_left_after_a_day_only(tmp_path: Path) -> None:
    machine, booted, _, *rest = mark().removeprefix(".tmp-").split("-")
    for place in (f"00000000-{booted}", f"{machine}-{booted}"):  # of the second, a container
        path = tmp_path / f"a.tmp-{place}-00000000-{'-'.join(rest)}"
        path.touch()
        assert not is_left(path)
        os.utime(path, (time.time() - 90_000,) * 2)
        assert is_left(path)


def test_two_names_are_never_the_same() -> None:
    assert len({mark() for _ in range(1_000)}) == 1_000


@pytest.mark.parametrize("name", ["model", ".tmp-", "a.tmp-x", "keeper.json", "a.tmp-0-1-1-0.txt", "0a.lock"])
def test_other_names_are_never_left(name: str) -> None:
    assert not is_left(Path(name))


@given(st.text(max_size=60).filter(lambda name: "/" not in name and "\0" not in name))
def test_any_name_is_judged_without_an_error(name: str) -> None:
    assert is_left(Path("/nonexistent", f"{name}.tmp-{name}")) in {True, False}
