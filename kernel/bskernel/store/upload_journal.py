"""Results to be pushed to a shared store: empty files in the cache, named by the results' keys."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

from bskernel.remains.plain_files import make_folder

PENDING = "pending"
_GRACE_S = 86_400
_KEY = re.compile(r"[0-9a-f]{64}")


class UploadJournal:
    """The pending results of one shared store; several processes may add and remove at the same time."""

    def __init__(self, cache: Path, name: str) -> None:
        self._folder = cache / PENDING / name

    def add(self, key: str) -> None:
        """Add a result. Raises OSError."""
        path = self._folder / key
        try:
            path.touch()
        except (FileNotFoundError, NotADirectoryError):
            make_folder(self._folder.parent)
            make_folder(self._folder)
            path.touch()

    def remove(self, key: str) -> None:
        """Remove a result."""
        with contextlib.suppress(OSError):
            (self._folder / key).unlink()

    def forget(self, key: str) -> None:
        """Remove a result that is missing here, after a day: a build adds a result just before it stores it."""
        with contextlib.suppress(OSError):
            if (self._folder / key).stat().st_mtime + _GRACE_S < time.time():
                (self._folder / key).unlink()

    def keys(self) -> list[str]:
        """The keys of all pending results, sorted."""
        try:
            return sorted(path.name for path in self._folder.iterdir() if _KEY.fullmatch(path.name))
        except OSError:
            return []


def all_pending(cache: Path) -> set[str]:
    """The keys of the pending results of all shared stores."""
    return {path.name for path in (cache / PENDING).glob("*/*") if _KEY.fullmatch(path.name)}
