"""Files of the kernel's own: what is no plain file is an error or is replaced, never a wait."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from bskernel.remains.plain_files import discard, open_lock, open_plain, read_plain

Make = Callable[[Path], object]


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


def _link(path: Path) -> None:
    (path.parent / "elsewhere").write_text("of somebody else")
    path.symlink_to("elsewhere")


FOREIGN = pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, _socket, _link])


@FOREIGN
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_RDWR | os.O_CREAT])
def test_nothing_waits_for_the_other_end_or_follows_a_link(tmp_path: Path, make: Make, flags: int) -> None:
    make(tmp_path / "it")
    with pytest.raises(OSError, match="it"):
        open_plain(tmp_path / "it", flags)
    assert read_plain(tmp_path / "it", 100) is None


@FOREIGN
def test_a_lock_file_takes_the_place_of_what_is_none(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "it")
    os.close(open_lock(tmp_path / "it"))
    assert (tmp_path / "it").is_file()
    assert not (tmp_path / "it").is_symlink()


@FOREIGN
def test_what_is_discarded_is_gone_and_nothing_behind_it(tmp_path: Path, make: Make) -> None:
    make(tmp_path / "it")
    discard(tmp_path / "it")
    assert not os.path.lexists(tmp_path / "it")
    assert make is not _link or (tmp_path / "elsewhere").read_text() == "of somebody else"


def test_a_plain_file_is_read_within_a_limit(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"12345")
    assert read_plain(tmp_path / "it", 5) == b"12345"
    assert read_plain(tmp_path / "it", 4) is None
    assert read_plain(tmp_path / "gone", 4) is None
