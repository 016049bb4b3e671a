"""Creates a folder once for all builds on a machine, atomically."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from bskernel.store.generation import sync_file_system

DONE = "bskernel-done"


@contextlib.contextmanager
def atomic_dir(folder: Path) -> Iterator[Path | None]:
    """Yield a temporary folder to fill and move it into place afterwards; yield None when `folder` exists already."""
    import shutil

    folder.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / DONE).exists():
            yield None
            return
        shutil.rmtree(folder, ignore_errors=True)
        for stale in folder.parent.glob(f"{folder.name}.new-*"):
            shutil.rmtree(stale, ignore_errors=True)
        temporary = Path(f"{folder}.new-{os.urandom(4).hex()}")
        try:
            yield temporary
            # On the disk before it counts as done: a power failure must not leave empty files in it.
            sync_file_system(temporary)
            (temporary / DONE).touch()
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
