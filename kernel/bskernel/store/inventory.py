"""The files of a store, local or shared, for counting, checking and garbage collection."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from bskernel_protocol import Digest, digest_of_bytes, digest_of_file

from bskernel.core.action import ActionResult
from bskernel.store.codec import decoded_result, decoded_stored
from bskernel.store.disk import DiskStore
from bskernel.store.remote import Item, Kind, RemoteStore


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


class LocalInventory:
    """The cache."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache

    def items(self, kind: Kind) -> Iterator[Item]:
        """The files of a kind. A result's time is its last use, to a day; a blob's when it was written or linked."""
        for folder, _, names in os.walk(self._cache / kind):
            for name in names:
                with contextlib.suppress(OSError):
                    status = os.stat(os.path.join(folder, name))
                    # A blob's modification time is always STAMP_NS.
                    time = status.st_ctime if kind == "blobs" else status.st_mtime
                    yield Item(name=name, size=status.st_size, time=time)

    def result(self, key: str) -> ActionResult | None:
        """A result; None when it is damaged."""
        try:
            stored = decoded_stored((self._cache / "actions" / key[:2] / key).read_bytes())
        except OSError:
            return None
        return stored.result if stored is not None else None

    def read(self, digest: Digest) -> bytes | None:
        """A blob's bytes, verified."""
        try:
            data = self._blob(digest).read_bytes()
        except OSError:
            return None
        return data if digest_of_bytes(data) == digest else None

    def is_whole(self, digest: Digest) -> bool:
        """Are the bytes that lie there those of the digest?"""
        try:
            return digest_of_file(self._blob(digest)) == digest
        except OSError:
            return False

    def remove(self, kind: Kind, name: str) -> None:
        """Remove a file, if it is there."""
        folder = self._cache / kind
        (folder / name if kind == "incoming" else folder / name[:2] / name).unlink(missing_ok=True)

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
            return decoded_result(self._remote.result(key, target))

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
