"""A file with holes is copied with them, and digested as what it reads as."""

import hashlib
import os
from pathlib import Path

from bskernel.store.extents import copy_extents
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def made(path: Path, parts: list[tuple[int, bytes]], end: int) -> bytes:
    with path.open("wb") as file:
        for at, data in parts:
            file.seek(at << 12)
            file.write(data)
        file.truncate(max(end << 12, file.seek(0, os.SEEK_END)))
    return path.read_bytes()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.integers(0, 600), st.binary(min_size=1, max_size=9000)), max_size=4), st.integers(0, 700)
)
def test_a_copy_has_the_bytes_of_its_source(tmp_path: Path, parts: list[tuple[int, bytes]], end: int) -> None:
    data = made(tmp_path / "source", parts, end)
    with (tmp_path / "source").open("rb") as source, (tmp_path / "target").open("wb+") as target:
        digest = copy_extents(source.fileno(), target.fileno(), len(data))
    assert (digest.sha256, digest.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert (tmp_path / "target").read_bytes() == data


def test_a_hole_takes_no_space(tmp_path: Path) -> None:
    os.truncate(os.open(tmp_path / "f", os.O_CREAT | os.O_RDWR), 1 << 26)
    with (tmp_path / "f").open("rb") as source, (tmp_path / "target").open("wb+") as target:
        assert copy_extents(source.fileno(), target.fileno(), 1 << 26).size == 1 << 26
        assert os.fstat(target.fileno()).st_blocks * 512 < 1 << 20


def test_a_file_that_is_cut_meanwhile_is_copied_as_far_as_it_goes(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 5000)
    with (tmp_path / "f").open("rb") as source, (tmp_path / "target").open("wb+") as target:
        assert copy_extents(source.fileno(), target.fileno(), 1 << 20).size == 5000
