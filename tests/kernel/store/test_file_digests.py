"""Files are read once as long as they stay the same, and never taken for what they were."""

import os
import time
from pathlib import Path

import pytest
from bskernel.store.file_digests import FileDigests
from bskernel_protocol import digest_of_bytes

OLD = time.time_ns() - 3600 * 10**9


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"one")
    return path


@pytest.fixture
def _later(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if what was written now had been written a while ago: a file's change time cannot be set."""
    now = time.time_ns()
    monkeypatch.setattr("time.time_ns", lambda: now + 60 * 10**9)


def test_a_file_that_was_just_written_is_read_every_time(file: Path, tmp_path: Path) -> None:
    digests = FileDigests(tmp_path / "kept")
    assert digests.of(file) == digest_of_bytes(b"one")
    assert digests.known(file) is None


@pytest.mark.usefixtures("_later")
def test_what_is_known_survives_in_its_file(file: Path, tmp_path: Path) -> None:
    digests = FileDigests(tmp_path / "kept")
    digests.of(file)
    digests.save()
    assert FileDigests(tmp_path / "kept").known(file) == digest_of_bytes(b"one")


@pytest.mark.usefixtures("_later")
def test_a_change_of_the_same_size_is_seen_even_when_its_time_is_set_back(file: Path) -> None:
    os.utime(file, ns=(OLD, OLD))
    digests = FileDigests()
    digests.of(file)
    file.write_bytes(b"two")
    os.utime(file, ns=(OLD, OLD))
    assert digests.known(file) is None
    assert digests.of(file) == digest_of_bytes(b"two")


@pytest.mark.usefixtures("_later")
def test_another_file_in_its_place_is_read(file: Path, tmp_path: Path) -> None:
    digests = FileDigests()
    digests.of(file)
    (tmp_path / "new").write_bytes(b"two")
    (tmp_path / "new").replace(file)
    assert digests.of(file) == digest_of_bytes(b"two")


@pytest.mark.parametrize("damage", [b"", b"\x81", b"\x81\xa1a\x01"])
def test_a_damaged_memory_is_forgotten(file: Path, tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "kept").write_bytes(damage)
    assert FileDigests(tmp_path / "kept").of(file) == digest_of_bytes(b"one")


@pytest.mark.usefixtures("_later")
def test_names_in_a_file_are_looked_for_once_as_long_as_it_stays_the_same(file: Path, tmp_path: Path) -> None:
    asked: list[bytes] = []

    def find(path: Path) -> tuple[str, ...]:
        asked.append(path.read_bytes())
        return (path.read_text(),)

    digests = FileDigests(tmp_path / "kept")
    digests.of(file)
    digests.save()
    for _ in range(2):
        digests = FileDigests(tmp_path / "kept")
        assert digests.names(file, find) == ("one",)
        digests.save()
    assert asked == [b"one"]
    file.write_bytes(b"two")
    assert digests.names(file, find) == ("two",)
    assert asked == [b"one", b"two"]
