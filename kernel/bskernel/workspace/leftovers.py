"""What processes that were killed have left in the cache: found by every command, and removed.

Nothing that a living process uses is touched: a session's owner holds a lock, a warm session's daemon too, and a
temporary file or folder has its writer's mark. Where nothing is left, this costs one look into a few folders.
"""

from __future__ import annotations

import contextlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from bskernel.core.cache_folders import WITH_TEMPORARY
from bskernel.host.temporary import is_left
from bskernel.remains.removal import remove

Kind = Literal["session", "warm session", "temporary file", "half-made folder"]


class Leftover(msgspec.Struct, frozen=True, kw_only=True):
    """Something whose process has ended."""

    kind: Kind
    path: Path

    @property
    def text(self) -> str:
        """For people: kind and path."""
        return f"{self.kind} {self.path}"


def find_leftovers(cache: Path) -> list[Leftover]:
    """What is left in a cache, in whatever state; nothing in one that this user cannot read."""
    return [*_sessions(cache), *_warm_sessions(cache), *_temporary(cache)]


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 - every command asks
    except OSError:
        return []


def _sessions(cache: Path) -> Iterator[Leftover]:
    if _names(cache / "sessions"):
        from bskernel.runtime.session_dirs import find_orphans

        yield from (Leftover(kind="session", path=folders.path) for folders in find_orphans(cache))


def _warm_sessions(cache: Path) -> Iterator[Leftover]:
    if _names(cache / "kept"):
        from bskernel.runtime.warm.registry import SessionRegistry

        for entry in SessionRegistry(cache).dead():
            yield Leftover(kind="warm session", path=entry.path)


def _temporary(cache: Path) -> Iterator[Leftover]:
    for folder in WITH_TEMPORARY:
        for name in _names(cache / folder):
            if ".tmp-" in name and is_left(path := cache / folder / name):
                kind: Kind = "half-made folder" if path.is_dir() and not path.is_symlink() else "temporary file"
                yield Leftover(kind=kind, path=path)


def remove_leftovers(found: Iterable[Leftover]) -> list[Leftover]:
    """Remove what was found; returns what is gone now. The rest is another user's, or its engine does not answer."""
    return [item for item in found if _remove(item)]


def _remove(item: Leftover) -> bool:
    # Another command may be removing it too, or this user may not.
    with contextlib.suppress(OSError):
        if item.kind == "session":
            from bskernel.runtime.orphans import remove_orphan
            from bskernel.runtime.session_dirs import SessionFolders

            return remove_orphan(SessionFolders(id=item.path.name.partition(".")[0], path=item.path))
        if item.kind == "warm session":
            from bskernel.runtime.warm.registry import SessionEntry

            SessionEntry(item.path).remove()
        elif item.kind == "half-made folder":
            remove(item.path)
        else:
            item.path.unlink(missing_ok=True)
    return not os.path.lexists(item.path)


def describe_removed(removed: Iterable[Leftover]) -> str:
    """One line: how many of each kind."""
    counts = Counter(item.kind for item in removed)
    parts = [f"{count} {kind}{'s' if count > 1 else ''}" for kind, count in sorted(counts.items())]
    return f"removed what killed processes left in the cache: {', '.join(parts)}"
