"""A tree is read as it is, or refused by the name of what is wrong in it."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from bskernel.core.errors import ConfigError
from bskernel.remains.folder import RemainsRefused, opened_folder
from bskernel.remains.limits import TreeLimits, limits_from
from bskernel.remains.tree import walk
from hypothesis import given
from hypothesis import strategies as st

LIMITS = TreeLimits(largest=1 << 20, holes=1 << 16, files=50, depth=5, path=100)


def read(tree: Path, limits: TreeLimits = LIMITS, base: str | None = None) -> dict[str, tuple[bytes, bool]]:
    with opened_folder(tree) as root:
        found = walk(root, "out", limits, base=base)
        return {file.path: (os.read(file.fd or -1, 1 << 20), file.executable) for file in found}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "b" / "file").write_text("content")
    return folder


def test_files_are_found_with_their_bytes_and_their_modes_are_reduced_to_one_bit(tree: Path) -> None:
    (tree / "run").write_text("#!/bin/sh")
    (tree / "run").chmod(0o7777 & ~0o7000)
    (tree / "empty").mkdir()
    assert read(tree) == {"a/b/file": (b"content", False), "run": (b"#!/bin/sh", True)}


def test_links_are_followed_inside_the_tree_alone(tree: Path) -> None:
    (tree / "up").symlink_to("a/../a/b/file")
    (tree / "a" / "chain").symlink_to("../up")
    (tree / "absolute").symlink_to(tree / "up")
    (tree / "inner").mkdir()
    (tree / "inner" / "through").symlink_to("../a/b/./file")
    assert set(read(tree, base=str(tree))) == {"a/b/file", "a/chain", "absolute", "inner/through", "up"}
    with pytest.raises(RemainsRefused, match=r"out/absolute links to .*, outside the tree"):
        read(tree)


def sparse(tree: Path) -> None:
    (tree / "f").touch()
    os.truncate(tree / "f", 1 << 19)


def many_sparse(tree: Path) -> None:
    for number in range(5):
        (tree / f"f{number}").touch()
        os.truncate(tree / f"f{number}", 1 << 14)


def device(tree: Path) -> None:
    (tree / "f").symlink_to("/dev/null")


def many(tree: Path) -> None:
    for number in range(60):
        (tree / f"f{number}").touch()


def bind(tree: Path) -> None:
    here = Path.cwd()
    os.chdir(tree)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("f")
    finally:
        os.chdir(here)


def link_to_fifo(tree: Path) -> None:
    os.mkfifo(tree / "g")
    (tree / "f").symlink_to("g")


def two_links(tree: Path) -> None:
    (tree / "g").symlink_to(".")
    (tree / "f").symlink_to("g/g/../../x")


def set_group_id(tree: Path) -> None:
    (tree / "f").touch()
    (tree / "f").chmod(0o2755)


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "fifo": (lambda tree: os.mkfifo(tree / "f"), "out/f is a FIFO, not a plain file"),
    "socket": (bind, "out/f is a socket, not a plain file"),
    "link to a fifo": (link_to_fifo, "out/f is a link that"),
    "link out": (lambda tree: (tree / "f").symlink_to("../../x"), "out/f links to ../../x, outside the tree"),
    "link to a device": (device, "out/f links to /dev/null, outside the tree"),
    "link to a folder": (lambda tree: (tree / "f").symlink_to("a"), "out/f is a link that does not point to a file"),
    "link to nothing": (lambda tree: (tree / "f").symlink_to("no"), "out/f is a link that does not point to a file"),
    "loop": (lambda tree: (tree / "f").symlink_to("f"), "out/f is a link that leads through more than 40 links"),
    "two links": (
        two_links,
        "out/f links to g/g/../../x, outside the tree",
    ),
    "set-group-id": (set_group_id, "has the set-group-id bit"),
    "large": (lambda tree: (tree / "f").write_bytes(bytes(1 << 21)), "BSKERNEL_OUTPUT_GIB allows more"),
    "holes": (sparse, "of holes in sparse files, at f"),
    "holes together": (many_sparse, "of holes in sparse files, at f4"),
    "many": (many, r"out has more than 50 files and folders \(BSKERNEL_OUTPUT_FILES allows more\)"),
    "deep": (lambda tree: (tree / "1/2/3/4/5/6").mkdir(parents=True), "out nests folders more than 5 deep"),
    "long": (lambda tree: (tree / ("n" * 120)).touch(), "out has a path of more than 100 bytes: nnn"),
    "no UTF-8": (
        lambda tree: os.close(os.open(os.fsencode(tree) + b"/\xff\x1b", os.O_CREAT)),
        r"out/\\xff\\x1b has a name that is no UTF-8",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", SPOILT)
def test_what_is_wrong_is_refused_by_name(tree: Path, kind: str) -> None:
    spoil, message = SPOILT[kind]
    spoil(tree)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(RemainsRefused, match=message) as refused:
        read(tree)
    assert str(refused.value).isprintable()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_folder_that_is_a_link_is_not_opened(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tree)
    with pytest.raises(RemainsRefused, match="link is a link, not a folder"):
        read(tmp_path / "link")


@given(st.integers(1, 10**6))
def test_a_user_can_raise_the_limits(number: int) -> None:
    limits = limits_from({"BSKERNEL_OUTPUT_GIB": str(number), "BSKERNEL_OUTPUT_FILES": str(number)})
    assert (limits.largest, limits.files) == (number << 30, number)
    assert limits_from({"BSKERNEL_OUTPUT_GIB": ""}) == TreeLimits()


@given(st.text(min_size=1, max_size=12).filter(lambda text: not (text.isascii() and text.isdigit())))
def test_a_limit_that_is_no_number_is_an_error_with_its_name(text: str) -> None:
    with pytest.raises(ConfigError, match="BSKERNEL_OUTPUT_GIB = "):
        limits_from({"BSKERNEL_OUTPUT_GIB": text})
