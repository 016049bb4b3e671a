"""What steps and sessions leave is opened, walked and removed in bskernel.remains alone."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.paths import ROOT

KERNEL = ROOT / "kernel" / "bskernel"
# What reads a disk by path, and so may follow a link, wait for ever, or read terabytes.
READS = {
    "open", "read_bytes", "read_text", "iterdir", "glob", "rglob", "walk", "listdir", "scandir", "resolve",
    "is_file", "is_dir", "exists", "copy", "copyfile", "copytree",
}  # fmt: skip
# Where step directories and sessions are handled -> what may be used there, and why no step left what it reads.
HANDLERS = {
    "execution/output_capture.py": set(),
    "execution/step_runner.py": set(),
    "execution/step_inputs.py": {"resolve"},  # of paths that the user names
    "execution/action_runner.py": set(),
    "execution/dir_pool.py": {"listdir", "is_dir", "scandir", "open"},  # by descriptors; of the kernel's own folder
    "runtime/session.py": set(),
    # Of /proc, of the sessions' names, and of new files of the kernel's own.
    "runtime/session_dirs.py": {"is_dir", "listdir", "open", "read_bytes"},
    "runtime/process.py": {"open"},  # the server's log, before there is a server
    "runtime/visible_stream.py": set(),
    "store/trees.py": {"walk"},  # that of remains
    "cluster/worker_site.py": {"is_dir"},  # of the checkout
}  # fmt: skip


def calls(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute):
                yield node.func.attr
            elif isinstance(node.func, ast.Name):
                yield node.func.id


def reads(path: Path) -> set[str]:
    return set(calls(path.read_text(encoding="utf-8"))) & READS


@pytest.mark.parametrize("module", HANDLERS)
def test_what_handles_step_directories_reads_them_through_remains(module: str) -> None:
    assert reads(KERNEL / module) == HANDLERS[module]


def test_folders_are_removed_by_descriptors_alone() -> None:
    """Removing by path descends as deep as Python's stack and follows what is swapped meanwhile."""
    found = [path for path in KERNEL.rglob("*.py") if {"rmtree", "fwalk"} & set(calls(path.read_text("utf-8")))]
    assert found == []


def test_commands_print_through_one_function() -> None:
    for path in (KERNEL / "cli").glob("*.py"):
        said = {"echo", "secho", "print"} & {
            node.func.attr
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        }
        assert said <= ({"echo"} if path.name == "output.py" else set()), path


def test_a_planted_reader_is_found() -> None:
    assert "read_bytes" in set(calls("def f(path):\n    return path.read_bytes()")) & READS
