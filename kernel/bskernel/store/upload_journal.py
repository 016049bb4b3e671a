"""Results that are still to be pushed to a shared store: empty files, named by their keys, in the cache."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

PENDING = "pending"


_LONG_S = 86_400


class UploadJournal:
    """Those for one shared store; several processes may add and remove at once."""

    def __init__(self, cache: Path, name: str) -> None:
        self._folder = cache / PENDING / name

    def add(self, key: str) -> None:
        """List a result. Raises OSError."""
        path = self._folder / key
        try:
            path.touch()
        except FileNotFoundError:
            self._folder.mkdir(parents=True, exist_ok=True)
            path.touch()

    def remove(self, key: str) -> None:
        """Take it off the list."""
        with contextlib.suppress(OSError):
            (self._folder / key).unlink()

    def forget(self, key: str) -> None:
        """Take off the list what is not here; after a day, as a build lists results just before it keeps them."""
        with contextlib.suppress(OSError):
            if (self._folder / key).stat().st_mtime + _LONG_S < time.time():
                (self._folder / key).unlink()

    def keys(self) -> list[str]:
        """All that are listed, in order of their keys."""
        try:
            return sorted(path.name for path in self._folder.iterdir())
        except OSError:
            return []


def all_pending(cache: Path) -> set[str]:
    """What is still to be pushed, to whichever shared store."""
    return {path.name for path in (cache / PENDING).glob("*/*")}
