"""The files of a store, local or shared, for counting, checking and garbage collection."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from bskernel_protocol import Digest, digest_of_bytes, digest_of_file

from bskernel.core.action import ActionResult
from bskernel.remains.plain_files import discard, open_plain, read_plain
from bskernel.store.codec import MAX_RESULT, decoded_result, decoded_stored, payload_of
from bskernel.store.disk import DiskStore
from bskernel.store.remote import Item, Kind, RemoteStore, is_place
from bskernel.store.seal import SEAL_BYTES
from bskernel.store.state_files import damaged_state

_FOLDER = re.compile(r"[0-9a-f]{2}")


class Inventory(Protocol):
    """What garbage collection needs from a store. Methods raise whatever the store raises."""

    def items(self, kind: Kind) -> Iterator[Item]:
        """All files of a kind."""

    def result(self, key: str) -> ActionResult | None:
        """A result; None when it is damaged."""

    def read(self, digest: Digest) -> bytes | None:
        """A blob's verified bytes; None when it is missing or damaged. A damaged blob is not removed."""

    def is_whole(self, digest: Digest) -> bool:
        """True when the blob's bytes match the digest; reads all of them."""

    def remove(self, kind: Kind, name: str) -> None:
        """Remove a file, if it is there."""

    def strays(self) -> Iterator[str]:
        """The paths of what lies in the store's folders and is no part of it, or is damaged without being needed."""

    def remove_stray(self, path: str) -> None:
        """Remove what `strays` found, if it is there."""


class LocalInventory:
    """The cache."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def items(self, kind: Kind) -> Iterator[Item]:
        """The files of a kind. A result's time is its last use, to a day; a blob's when it was written or linked."""
        for place, item in self._found(kind):
            if is_place(kind, place):
                yield item

    def result(self, key: str) -> ActionResult | None:
        """A result; None when it is damaged."""
        stored = decoded_stored(key, read_plain(self._cache / "actions" / key[:2] / key, MAX_RESULT + SEAL_BYTES))
        return stored.result if stored is not None else None

    def strays(self) -> Iterator[str]:
        """The paths of what is no blob or result though it lies among them, and of damaged files of the cache."""
        for kind in ("blobs", "actions"):
            for place, _ in self._found(kind):
                if not is_place(kind, place):
                    yield f"{kind}/{place}"
        yield from damaged_state(self._cache)

    def remove_stray(self, path: str) -> None:
        """Remove what `strays` found, if it is there."""
        discard(self._cache / path)

    def _found(self, kind: str) -> Iterator[tuple[str, Item]]:
        """What is in the folders of a kind, each with its path there; what is no folder of one is not entered."""
        for entry in _entries(self._cache / kind):
            if kind != "incoming" and _FOLDER.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False):
                for inner in _entries(Path(entry.path)):
                    yield from _item(kind, f"{entry.name}/{inner.name}", inner)
            else:
                yield from _item(kind, entry.name, entry)

    def read(self, digest: Digest) -> bytes | None:
        """A blob's bytes, verified."""
        data = read_plain(self._blob(digest), digest.size)
        return data if data is not None and digest_of_bytes(data) == digest else None

    def is_whole(self, digest: Digest) -> bool:
        """Are the bytes that lie there those of the digest?"""
        try:
            os.close(open_plain(self._blob(digest)))
            return digest_of_file(self._blob(digest)) == digest
        except OSError:
            return False

    def remove(self, kind: Kind, name: str) -> None:
        """Remove a file, if it is there."""
        folder = self._cache / kind
        discard(folder / name if kind == "incoming" else folder / name[:2] / name)

    def _blob(self, digest: Digest) -> Path:
        return self._cache / "blobs" / digest.sha256[:2] / digest.sha256


class SharedInventory:
    """A shared store, read through temporary files in the cache."""

    def __init__(self, remote: RemoteStore, local: DiskStore) -> None:
        self._remote = remote
        self._local = local

    def items(self, kind: Kind) -> Iterator[Item]:
        """The files of a kind. A file's time is when it was written."""
        return self._remote.items(kind)

    def result(self, key: str) -> ActionResult | None:
        """A result; None when it is damaged."""
        with self._local.new() as target:
            return decoded_result(key, payload_of(self._remote.result(key, target)))

    def strays(self) -> Iterator[str]:
        """The paths of what lies among the blobs and results and is none."""
        return self._remote.strays()

    def remove_stray(self, path: str) -> None:
        """Remove what `strays` found, if it is there."""
        self._remote.remove_stray(path)

    def read(self, digest: Digest) -> bytes | None:
        """A blob's bytes, verified."""
        with self._local.new() as target:
            state = self._remote.fetch(digest, target)
            return Path(target).read_bytes() if state == "whole" else None

    def is_whole(self, digest: Digest) -> bool:
        """Are the bytes that lie there those of the digest?"""
        with self._local.new() as target:
            return self._remote.fetch(digest, target) == "whole"

    def remove(self, kind: Kind, name: str) -> None:
        """Remove a file, if it is there."""
        self._remote.remove(kind, name)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as scan:
            return list(scan)
    except OSError:
        return []


def _item(kind: str, place: str, entry: os.DirEntry[str]) -> Iterator[tuple[str, Item]]:
    with contextlib.suppress(OSError):
        status = entry.stat(follow_symlinks=False)
        # A blob's modification time is always the stamp of its generation.
        time = status.st_ctime if kind == "blobs" else status.st_mtime
        size = status.st_size if stat.S_ISREG(status.st_mode) else -1
        yield place, Item(name=entry.name, size=size, time=time)
