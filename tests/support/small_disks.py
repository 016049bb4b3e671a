"""File systems of a test's own that are small or read-only. They need the right to mount."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def mount(folder: Path, options: str) -> None:
    """Mount a file system in memory on a folder, or change the options of the one that is there.

    Skips the test where mounting is not allowed, unless it runs as root on a machine of CI.
    """
    again = ["remount"] if os.path.ismount(folder) else []
    command = ["mount", "-t", "tmpfs", "-o", ",".join([*again, options]), "tmpfs", str(folder)]
    for _ in range(100):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if "busy" not in done.stderr:
            break
        time.sleep(0.1)  # a process that has just ended may still have had a file open
    if done.returncode and os.environ.get("BSKERNEL_REQUIRE_ENGINE"):
        pytest.fail(done.stderr)
    if done.returncode:
        pytest.skip(f"no right to mount: {done.stderr.strip()}")


@contextlib.contextmanager
def disks() -> Iterator[Callable[[Path, str], Path]]:
    """A function that mounts a small file system on a new folder; all are unmounted at the end."""
    mounted: list[Path] = []

    def make(folder: Path, options: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        mount(folder, options)
        mounted.append(folder)
        return folder

    try:
        yield make
    finally:
        for folder in reversed(mounted):
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def read_only(folder: Path) -> None:
    """Make a file system read-only; nobody may have a file open there for writing."""
    mount(folder, "ro")
