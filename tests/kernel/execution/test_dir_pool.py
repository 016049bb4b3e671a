"""A step's folder is used again only as it was made: empty, and nobody else's."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from bskernel.execution import dir_pool

LAYOUT: dir_pool.Layout = {"in": "../../inputs/x", "manifest": None, "out": {}, "work": {"tmp": {}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "00-a"
    (folder / "work" / "tmp").mkdir(parents=True)
    (folder / "out").mkdir()
    (folder / "in").symlink_to("../../inputs/x")
    (folder / "manifest").write_text("m")
    return folder


def all_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_what_a_step_left_is_gone_and_what_stays_is_the_same(folder: Path, tmp_path: Path) -> None:
    before = (folder / "manifest").stat().st_ino
    (folder / "out" / "tree" / "deep").mkdir(parents=True)
    (folder / "work" / "tmp" / "f").write_text("left")
    (folder / "work" / "more").mkdir(mode=0o000)
    (folder / "log").write_text("left")
    dir_pool.recycle(folder, "x", LAYOUT)
    assert not folder.exists()
    spare = dir_pool.take(tmp_path, "01-b")
    assert spare is not None
    assert spare.name == "x"
    assert dir_pool.is_as_left(tmp_path / "01-b", LAYOUT, spare)
    assert all_below(tmp_path / "01-b") == {"in", "manifest", "out", "work", "work/tmp"}
    assert (tmp_path / "01-b" / "manifest").stat().st_ino == before
    assert dir_pool.take(tmp_path, "02-c") is None


def link_elsewhere(folder: Path) -> None:
    (folder / "in").unlink()
    (folder / "in").symlink_to("/etc")


def link_out(folder: Path) -> None:
    (folder / "out").rmdir()
    (folder / "out").symlink_to("/etc")


@pytest.mark.parametrize(
    "spoil",
    [link_elsewhere, link_out, lambda folder: (folder / "out").chmod(0o500), lambda folder: folder.chmod(0o3777)],
)
def test_a_folder_that_is_not_as_it_was_made_is_not_used_again(
    folder: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    spoil(folder)
    dir_pool.recycle(folder, "x", LAYOUT)
    assert list(tmp_path.iterdir()) == []


def replace_with_file(path: Path) -> None:
    path.rmdir()
    path.touch()


def plant_and_set_time_back(folder: Path) -> None:
    before = folder.stat()
    (folder / "planted").touch()
    os.utime(folder, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda folder: (folder / "planted").touch(),
        lambda folder: (folder / "manifest").unlink(),
        lambda folder: (folder / "manifest").rename(folder / "out" / "manifest"),
        lambda folder: (folder.parent / "kept").hardlink_to(folder / "manifest"),
        lambda folder: (folder / "work" / "tmp").chmod(0o500),
        lambda folder: (folder / "work" / "tmp").rmdir(),
        lambda folder: replace_with_file(folder / "work" / "tmp"),
        lambda folder: plant_and_set_time_back(folder / "out"),
        lambda folder: plant_and_set_time_back(folder / "work" / "tmp"),
        link_elsewhere,
        link_out,
    ],
)
def test_a_spare_folder_that_somebody_has_changed_is_not_as_it_was_left(
    folder: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    dir_pool.recycle(folder, "x", LAYOUT)
    (spare_folder,) = tmp_path.glob(".spare-*")
    time.sleep(0.02)  # longer than a tick of the system's clock
    spoil(spare_folder)
    spare = dir_pool.take(tmp_path, "01-b")
    assert spare is not None
    assert not dir_pool.is_as_left(tmp_path / "01-b", LAYOUT, spare)


def test_a_file_that_somebody_else_has_a_link_to_is_not_overwritten(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "kept").hardlink_to(folder / "manifest")
    assert dir_pool.reset_dir(folder, LAYOUT)
    dir_pool.overwrite(folder / "manifest", b"new")
    assert (tmp_path / "kept").read_text() == "m"


def test_overwriting_leaves_nothing_of_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("something long")
    dir_pool.overwrite(tmp_path / "f", b"short")
    assert (tmp_path / "f").read_bytes() == b"short"


def test_overwriting_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "f").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="f"):
        dir_pool.overwrite(tmp_path / "f", b"x")
    assert not (tmp_path / "elsewhere").exists()
