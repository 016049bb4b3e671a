"""Outputs are checked whatever their size, and whatever else lies in their place."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from bskernel_executors.sdk.outputs import check_outputs
from bskernel_protocol import OutputDescription

HERE = Path("/cache/sessions/1/steps/00-a")
DECLARED = (OutputDescription("tree", "tree"), OutputDescription("model", "file", required=False))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree").mkdir()
    return tmp_path / "tree"


def message(tree: Path) -> str | None:
    failure = check_outputs(tree.parent, DECLARED, (HERE,))
    return failure.message if failure is not None else None


@pytest.mark.parametrize("at", [0, 5000, (1 << 20) - 10, (1 << 20) - 1, (3 << 20) + 7])
def test_a_path_is_found_wherever_it_stands_in_a_file(tree: Path, at: int) -> None:
    (tree / "f").write_bytes(b"x" * at + f"{HERE}/work".encode() + b"y" * 100)
    assert message(tree) == "out/tree/f contains a path of this machine"


@pytest.mark.parametrize("at", [1 << 20, (1 << 40) + (1 << 20) - 5])
def test_a_path_is_found_behind_a_hole(tree: Path, at: int) -> None:
    with (tree / "f").open("wb") as file:
        file.seek(at)
        file.write(str(HERE).encode())
        file.truncate(at + (1 << 30))
    assert message(tree) == "out/tree/f contains a path of this machine"


def test_a_large_file_of_nothing_is_no_violation_here(tree: Path) -> None:
    (tree / "f").touch()
    os.truncate(tree / "f", 1 << 42)
    assert message(tree) is None


def deep(tree: Path) -> None:
    for _ in range(70):
        tree = tree / "d"
        tree.mkdir()


def no_utf8(tree: Path) -> None:
    os.mkfifo(os.fsencode(tree) + b"/\xff\x1b")


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "fifo": (lambda tree: os.mkfifo(tree / "f"), "out/tree/f is a FIFO, not a plain file"),
    "link": (lambda tree: (tree / "f").symlink_to("/etc/passwd"), "out/tree/f links to /etc/passwd, outside its"),
    "no UTF-8": (no_utf8, "out/tree/\\xff\\x1b is a FIFO, not a plain file"),
    "undeclared": (lambda tree: (tree.parent / "a\n").touch(), "the step wrote the output"),
    "kind": (lambda tree: (tree.parent / "model").mkdir(), "the output 'model' is not a file, as its entry declares"),
    "deep": (deep, "lies more than 64 folders deep"),
}  # fmt: skip


@pytest.mark.parametrize("kind", SPOILT)
def test_a_violation_is_named(tree: Path, kind: str) -> None:
    spoil, expected = SPOILT[kind]
    spoil(tree)
    found = message(tree)
    assert found is not None
    assert expected in found
    assert found.isprintable()
