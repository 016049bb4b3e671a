"""Creates a folder once for all builds on a machine, atomically."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from bskernel.core.errors import EnvironmentLacking
from bskernel.core.places import cache_place, within
from bskernel.host.lock_holder import HolderStoppedError, lock
from bskernel.host.temporary import mark
from bskernel.remains.plain_files import open_plain
from bskernel.remains.removal import remove
from bskernel.store.generation import sync_file_system

DONE = "bskernel-done"


@contextlib.contextmanager
def lock_file(path: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Hold an exclusive lock on a file, made if need be. Raises EnvironmentLacking when its holder is stopped."""
    try:
        fd = open_plain(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise EnvironmentLacking(f"{path}: {error.strerror}", hint="make its folder writable") from error
    try:
        try:
            lock(fd, fcntl.LOCK_EX, path, report)
        except HolderStoppedError as error:
            raise EnvironmentLacking(str(error), hint=error.hint) from error
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def atomic_dir(folder: Path, report: Callable[[str], None]) -> Iterator[Path | None]:
    """Yield a temporary folder to fill and move it into place afterwards; yield None when `folder` exists already.

    Waits while another process makes it. Raises EnvironmentLacking when that process is stopped, and when the disk is
    full or refuses a write for other reasons.
    """
    with within(cache_place(folder.parent.parent)), _filled(folder, report) as temporary:
        yield temporary


@contextlib.contextmanager
def _filled(folder: Path, report: Callable[[str], None]) -> Iterator[Path | None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with lock_file(Path(f"{folder}.lock"), report):
        if (folder / DONE).exists():
            yield None
            return
        remove(folder)
        temporary = Path(f"{folder}{mark()}")
        try:
            yield temporary
            # On the disk before it counts as done: a power failure must not leave empty files in it.
            sync_file_system(temporary)
            (temporary / DONE).touch()
            temporary.rename(folder)
        finally:
            remove(temporary)
