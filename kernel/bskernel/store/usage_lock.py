"""The lock of a cache: shared by its users, exclusive for garbage collection."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from bskernel.core.errors import EnvironmentLacking
from bskernel.core.places import cache_place, within

_LOCK = "in-use"  # an flock on this file: it ends with the process that holds it, however the process ends
_READ_ONLY = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def _open(cache: Path) -> TextIO:
    return (cache / _LOCK).open("a")


def _open_to_read(cache: Path, error: OSError) -> TextIO | None:
    """The lock of a cache that is read-only; None without one. Raises the error if it is of another kind."""
    if error.errno not in _READ_ONLY:
        with within(cache_place(cache)):
            raise error
    try:
        return (cache / _LOCK).open("r")
    except OSError:
        return None


@contextlib.contextmanager
def hold_shared(cache: Path) -> Iterator[bool]:
    """Keep garbage collection out during the context; waits while it runs. Yields True if the cache is read-only."""
    try:
        opened: TextIO | None = _open(cache)
    except OSError as error:
        # A lock needs no right to write.
        opened = _open_to_read(cache, error)
    with opened or contextlib.nullcontext():
        if opened is not None:
            fcntl.flock(opened, fcntl.LOCK_SH)
        yield not os.access(cache / "incoming", os.W_OK)


@contextlib.contextmanager
def hold_exclusive(cache: Path) -> Iterator[None]:
    """Lock the cache for garbage collection. Raises EnvironmentLacking while another process uses it."""
    with within(cache_place(cache)):
        opened = _open(cache)
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EnvironmentLacking(
                f"a build is using the cache {cache}", hint="run this again when no build is running"
            ) from None
        yield
