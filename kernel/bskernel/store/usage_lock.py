"""The lock of a cache: shared by its users, exclusive for garbage collection."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from bskernel.core.errors import EnvironmentLacking
from bskernel.core.places import cache_place, within
from bskernel.host.lock_holder import HolderStoppedError, lock
from bskernel.remains.plain_files import READ_ONLY, open_lock

_LOCK = "in-use"  # an flock on this file: it ends with the process that holds it, however the process ends


@contextlib.contextmanager
def hold_shared(cache: Path) -> Iterator[bool]:
    """Keep garbage collection out during the context; waits while it runs. Yields True if the cache is read-only.

    Raises EnvironmentLacking, also when the process that collects is stopped.
    """
    try:
        file = open_lock(cache / _LOCK)
    except OSError as error:
        if error.errno not in READ_ONLY:
            with within(cache_place(cache)):
                raise
        yield True  # read-only, and without a lock: nobody collects there
        return
    try:
        lock(file, fcntl.LOCK_SH, cache / _LOCK)
        yield not os.access(cache / "incoming", os.W_OK)
    except HolderStoppedError as error:
        raise EnvironmentLacking(str(error), hint=error.hint) from error
    finally:
        os.close(file)


@contextlib.contextmanager
def hold_exclusive(cache: Path) -> Iterator[None]:
    """Lock the cache for garbage collection. Raises EnvironmentLacking while another process uses it."""
    with within(cache_place(cache)):
        opened = open_lock(cache / _LOCK, writable=True)
    with open(opened, "rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EnvironmentLacking(
                f"a build is using the cache {cache}", hint="run this again when no build is running"
            ) from None
        yield
