"""A store on any file system that fsspec supports."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
from bskernel_protocol import Digest, digest_of_bytes, digest_of_file

from bskernel.store.codec import MAX_STORED
from bskernel.store.file_systems import (
    NotWhole,
    create,
    download,
    make_folder,
    open_file_system,
    overwrite,
    read_small,
    rename,
    size_of,
    time_of,
    write,
    writes_whole,
)
from bskernel.store.settings import SharedSettings

LAYOUT = b"1\n"  # the version of the folder layout, written to `bskernel-store`
_MARKER, _BLOBS, _ACTIONS, _INCOMING, _CLAIMS = "bskernel-store", "blobs", "actions", "incoming", "claims"
_FLAT = {_INCOMING, _CLAIMS}  # folders without subfolders
_LARGEST_CLAIM = 4 << 10  # bytes
_IN_MEMORY = 8 << 20  # blobs of up to this many bytes are sent from memory

Kind = Literal["blobs", "actions", "incoming", "claims"]
BlobState = Literal["whole", "missing", "damaged"]


_NAME = re.compile(r"[0-9a-f]{64}")


def is_place(kind: str, path: str) -> bool:
    """True for the path, below its folder, of a file of that kind."""
    folder, _, name = path.rpartition("/")
    return kind in _FLAT or (_NAME.fullmatch(name) is not None and folder == name[:2])


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A blob or a result in a store's listing."""

    name: str  # SHA-256 or key
    size: int
    time: float | None  # of its last use, or when it was written; seconds since the epoch, None if unknown


class RemoteStore:
    """Blobs at blobs/AB/SHA256 and results at actions/AB/KEY below a URL, for many readers and writers.

    Existing files are only rewritten to repair them. Any method raises what fsspec and its libraries raise; the first
    call connects to the store.
    """

    def __init__(self, settings: SharedSettings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._fs: Any = None
        self._root = ""
        self._whole = False
        self._marked = False
        self._folders: set[str] = set()
        self._present: set[str] = set()

    @property
    def is_mounted(self) -> bool:
        """True for a folder of this machine, which may be another one's over the network."""
        return self._settings.protocol == "file"

    def fetch(self, digest: Digest, target: str) -> BlobState:
        """Download a blob to a new file and verify it; the file remains only if the blob is whole.

        Reads no more than the digest's size.
        """
        try:
            if not self._download(self._blob(digest.sha256), target, digest.size):
                return "missing"
            if digest_of_file(Path(target)) == digest:
                return "whole"
        except NotWhole:
            pass
        Path(target).unlink(missing_ok=True)
        self._present.discard(digest.sha256)
        return "damaged"

    def result(self, key: str, target: str) -> bytes | None:
        """The bytes of an action's result, None when it is missing, b"" when it is none. `target` is temporary."""
        try:
            if not self._download(self._action(key), target, MAX_STORED):
                return None
            data = Path(target).read_bytes()
        except NotWhole:
            data = b""
        Path(target).unlink(missing_ok=True)
        return data

    def holds(self, digest: Digest) -> bool:
        """True when the store has a blob of that name and size."""
        if digest.sha256 in self._present:
            return True
        fs = self._opened()
        try:
            present = size_of(fs, self._blob(digest.sha256)) == digest.size
        except FileNotFoundError:
            return False
        if present:
            self._present.add(digest.sha256)
        return bool(present)

    def send(self, digest: Digest, source: str, *, again: bool = False) -> bool:
        """Upload a blob unless it is there; `again` in any case. False when the source does not match the digest."""
        if not again and self.holds(digest):
            return True
        try:
            data = Path(source).read_bytes() if digest.size <= _IN_MEMORY else None
            actual = digest_of_bytes(data) if data is not None else digest_of_file(Path(source))
        except OSError:  # an error of the local disk, not of the shared store
            return False
        if actual != digest:
            return False
        self._put(self._blob(digest.sha256), source if data is None else data, digest.size)
        self._present.add(digest.sha256)
        return True

    def send_result(self, key: str, data: bytes) -> None:
        """Upload an action's result; its blobs must be there already."""
        self._put(self._action(key), data, len(data))

    def create_claim(self, key: str, data: bytes) -> bool:
        """Write a claim on an action; False when there is one. Raises NotImplementedError where nothing excludes."""
        fs = self._opened()
        self._prepare(self._claim(key))
        return create(fs, self._claim(key), data)

    def renew_claim(self, key: str, data: bytes) -> None:
        """Write a claim again."""
        overwrite(self._opened(), self._claim(key), data)

    def claim(self, key: str) -> bytes | None:
        """What a claim says; None when there is none."""
        return read_small(self._opened(), self._claim(key), _LARGEST_CLAIM)

    def items(self, kind: Kind) -> Iterator[Item]:
        """All blobs, results, claims, or files that are being written or whose writer died."""
        for place, item in self._found(kind):
            if is_place(kind, place):
                yield item

    def strays(self) -> Iterator[str]:
        """The paths of files among the blobs and results that no store writes."""
        for kind in (_BLOBS, _ACTIONS):
            for place, _ in self._found(kind):
                if not is_place(kind, place):
                    yield f"{kind}/{place}"

    def _found(self, kind: str) -> Iterator[tuple[str, Item]]:
        """Files below the folder of a kind, each with its path there."""
        fs = self._opened()
        folder = f"{self._root}/{kind}"
        for path, info in fs.find(folder, detail=True).items():
            name = path.rpartition("/")[2]
            size = info["size"] if info.get("type", "file") == "file" and not info.get("islink") else -1
            yield path.rpartition(f"{folder}/")[2], Item(name=name, size=size, time=time_of(info))

    def remove_stray(self, path: str) -> None:
        """Remove a file that `strays` found, if it is there."""
        fs = self._opened()
        with contextlib.suppress(FileNotFoundError):
            fs.rm_file(f"{self._root}/{path}")

    def learn(self) -> set[str]:
        """List all blobs, which saves one request per blob; returns the keys of all results."""
        self._present |= {item.name for item in self.items("blobs")}
        return self.keys()

    def keys(self) -> set[str]:
        """The keys of all results."""
        return {item.name for item in self.items("actions")}

    def remove(self, kind: Kind, name: str) -> None:
        """Remove a blob, a result, or a leftover of a writer, if it exists."""
        self._present.discard(name)
        fs = self._opened()
        path = f"{self._root}/{kind}/{name}" if kind in _FLAT else f"{self._root}/{kind}/{name[:2]}/{name}"
        with contextlib.suppress(FileNotFoundError):
            fs.rm_file(path)

    def _blob(self, name: str) -> str:
        self._opened()
        return f"{self._root}/{_BLOBS}/{name[:2]}/{name}"

    def _action(self, key: str) -> str:
        self._opened()
        return f"{self._root}/{_ACTIONS}/{key[:2]}/{key}"

    def _claim(self, key: str) -> str:
        self._opened()
        return f"{self._root}/{_CLAIMS}/{key}"

    def _download(self, path: str, target: str, limit: int) -> bool:
        try:
            download(self._opened(), path, target, limit)
        except FileNotFoundError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(target)
            return False
        return True

    def _put(self, path: str, source: str | bytes, size: int) -> None:
        fs = self._opened()
        self._prepare(f"{self._root}/{_INCOMING}/x", path)
        if self._whole:
            write(fs, path, source)
            return
        temporary = f"{self._root}/{_INCOMING}/{socket.gethostname()}-{os.getpid():x}-{os.urandom(8).hex()}"
        try:
            write(fs, temporary, source)
            written = size_of(fs, temporary)
            if written != size:
                raise OSError(f"{written} of {size} bytes were written")
            rename(fs, temporary, path, size)
        except BaseException:
            with contextlib.suppress(Exception):
                fs.rm_file(temporary)
            raise

    def _prepare(self, *paths: str) -> None:
        """Mark a new store, and make the folders of these files where the file system has folders."""
        if not self._marked:
            self._mark()
        for folder in (path.rpartition("/")[0] for path in paths if not self._whole):
            if folder not in self._folders:
                make_folder(self._opened(), folder)
                self._folders.add(folder)

    def _opened(self) -> Any:
        with self._lock:
            if self._fs is None:
                fs, root = open_file_system(self._settings)
                self._whole = writes_whole(fs)
                self._root = root.rstrip("/")
                self._check(fs)
                self._fs = fs
        return self._fs

    def _check(self, fs: Any) -> None:
        """Raise OSError when the store does not exist or has an unknown layout."""
        try:
            layout = fs.cat_file(f"{self._root}/{_MARKER}", end=len(LAYOUT) + 1)
        except FileNotFoundError:
            # Do not create the folder: if a network folder is not mounted, it would be on the local disk.
            root = self._root.partition("/")[0] if self._whole else self._root
            if not self._exists(fs, root):
                what = "bucket" if self._whole else "folder"
                raise OSError(f"no such {what}: {root}; create or mount it") from None
            return
        if layout != LAYOUT:
            raise OSError("this version of bskernel does not know its layout")
        self._marked = True

    def _exists(self, fs: Any, root: str) -> bool:
        if not self._whole:
            return bool(fs.isdir(root))
        try:
            fs.info(root)
        except FileNotFoundError:
            return False
        except PermissionError:
            pass  # users may have access to objects but not to the bucket itself
        return True

    def _mark(self: Any) -> None:
        self._marked = True
        self._put(f"{self._root}/{_MARKER}", LAYOUT, len(LAYOUT))
