"""The lock of a cache: shared by its users, exclusive for garbage collection."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from bskernel.core.errors import EnvironmentLacking
from bskernel.host.lock_holder import HolderStoppedError, lock
from bskernel.host.plain_file import NoPlainFileError, open_plain

_LOCK = "in-use"  # an flock on this file: it ends with the process that holds it, however the process ends


def _open(path: Path) -> int:
    try:
        return open_plain(path, os.O_RDWR | os.O_CREAT)
    except NoPlainFileError as error:
        raise EnvironmentLacking(str(error)) from error


@contextlib.contextmanager
def hold_shared(cache: Path) -> Iterator[None]:
    """Keep garbage collection out during the context; waits while it runs."""
    with os.fdopen(_open(cache / _LOCK), "rb") as file:
        try:
            lock(file.fileno(), fcntl.LOCK_SH, cache / _LOCK)
        except HolderStoppedError as error:
            raise EnvironmentLacking(str(error), hint=error.hint) from error
        yield


@contextlib.contextmanager
def hold_exclusive(cache: Path) -> Iterator[None]:
    """Lock the cache for garbage collection. Raises EnvironmentLacking while another process uses it."""
    with os.fdopen(_open(cache / _LOCK), "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EnvironmentLacking(
                f"a build is using the cache {cache}", hint="run this again when no build is running"
            ) from None
        yield
