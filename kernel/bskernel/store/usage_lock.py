"""Who uses a cache, and who tidies it: many use it at once, none while it is tidied."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from bskernel.core.errors import EnvironmentLacking

_LOCK = "in-use"  # the lock is that of an open file: it ends with the process that holds it, however that ends


@contextlib.contextmanager
def in_use(cache: Path) -> Iterator[None]:
    """Use the cache; waits while it is tidied."""
    with (cache / _LOCK).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


@contextlib.contextmanager
def tidying(cache: Path) -> Iterator[None]:
    """Have the cache alone. Raises EnvironmentLacking while somebody uses it."""
    with (cache / _LOCK).open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EnvironmentLacking(
                f"a build uses the cache {cache} now", hint="run this again when no build runs"
            ) from None
        yield
