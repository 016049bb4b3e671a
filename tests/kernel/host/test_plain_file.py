"""What is no plain file is an error, never a wait."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from bskernel.host.plain_file import NoPlainFileError, open_plain, read_plain


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, _socket])
@pytest.mark.parametrize("flags", [os.O_RDONLY, os.O_WRONLY | os.O_CREAT, os.O_RDWR | os.O_CREAT])
def test_nothing_waits_for_the_other_end(tmp_path: Path, make: Callable[[Path], None], flags: int) -> None:
    make(tmp_path / "it")
    with pytest.raises(NoPlainFileError, match="is not a plain file"):
        open_plain(tmp_path / "it", flags)


def test_a_plain_file_is_read_up_to_a_limit(tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(b"12345")
    assert read_plain(tmp_path / "it") == b"12345"
    assert read_plain(tmp_path / "it", 2) == b"12"


def test_a_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_plain(tmp_path / "gone")
