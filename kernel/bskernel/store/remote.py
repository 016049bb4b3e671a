"""A store on anything that fsspec reaches."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec
from bskernel_protocol import Digest, digest_of_bytes, digest_of_file

from bskernel.store.file_systems import open_file_system, rename, size_of, time_of, write, writes_whole
from bskernel.store.settings import SharedSettings

LAYOUT = b"1\n"  # of the folders below; another layout gets another number, in `bskernel-store`
_MARKER, _BLOBS, _ACTIONS, _INCOMING = "bskernel-store", "blobs", "actions", "incoming"
_AT_ONCE = 8 << 20  # bytes that are sent from memory

Kind = Literal["blobs", "actions", "incoming"]
Found = Literal["whole", "missing", "damaged"]


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A blob or a result as a store lists it."""

    name: str  # SHA-256 or key
    size: int
    time: float | None  # of its last use, or when it was written: seconds since the epoch; None where it is not known


class RemoteStore:
    """Blobs at blobs/AB/SHA256 and results at actions/AB/KEY below a URL, for many readers and writers.

    What is there is never changed but to mend it. Any method raises what fsspec and the libraries behind it raise;
    nothing is asked of the store before the first of them is called.
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

    def fetch(self, digest: Digest, target: str) -> Found:
        """Write a blob's bytes to a new file; unless they are found whole there is none."""
        if not self._copied(self._blob(digest.sha256), target):
            return "missing"
        if digest_of_file(Path(target)) == digest:
            return "whole"
        Path(target).unlink()
        self._present.discard(digest.sha256)
        return "damaged"

    def result(self, key: str, target: str) -> bytes | None:
        """The bytes of an action's result, by way of a new file that is removed."""
        if not self._copied(self._action(key), target):
            return None
        data = Path(target).read_bytes()
        Path(target).unlink()
        return data

    def holds(self, digest: Digest) -> bool:
        """Is there a blob of that name and size?"""
        if digest.sha256 in self._present:
            return True
        fs = self._opened()
        try:
            found = size_of(fs, self._blob(digest.sha256)) == digest.size
        except FileNotFoundError:
            return False
        if found:
            self._present.add(digest.sha256)
        return bool(found)

    def send(self, digest: Digest, source: str, *, again: bool = False) -> bool:
        """Have a blob there, whole; `again` though it is. False when the source has not these bytes."""
        if not again and self.holds(digest):
            return True
        try:
            data = Path(source).read_bytes() if digest.size <= _AT_ONCE else None
            found = digest_of_bytes(data) if data is not None else digest_of_file(Path(source))
        except OSError:  # of this machine's disk: the shared store has nothing to do with it
            return False
        if found != digest:
            return False
        self._put(self._blob(digest.sha256), source if data is None else data, digest.size)
        self._present.add(digest.sha256)
        return True

    def send_result(self, key: str, data: bytes) -> None:
        """Keep an action's result; every blob of it must be there."""
        self._put(self._action(key), data, len(data))

    def items(self, kind: Kind) -> Iterator[Item]:
        """All blobs, results of actions, or what is being written, or was when its writer died."""
        fs = self._opened()
        for path, info in fs.find(f"{self._root}/{kind}", detail=True).items():
            yield Item(name=path.rpartition("/")[2], size=info["size"], time=time_of(info))

    def learn(self) -> set[str]:
        """Look at all blobs at once, so that none is asked for alone; returns the keys of all results."""
        self._present |= {item.name for item in self.items("blobs")}
        return self.keys()

    def keys(self) -> set[str]:
        """The keys of all results."""
        return {item.name for item in self.items("actions")}

    def remove(self, kind: Kind, name: str) -> None:
        """Remove a blob, a result, or what a writer left."""
        self._present.discard(name)
        path = f"{self._root}/{kind}/{name}" if kind == _INCOMING else f"{self._root}/{kind}/{name[:2]}/{name}"
        with contextlib.suppress(FileNotFoundError):
            self._opened().rm_file(path)

    def _blob(self, name: str) -> str:
        self._opened()
        return f"{self._root}/{_BLOBS}/{name[:2]}/{name}"

    def _action(self, key: str) -> str:
        self._opened()
        return f"{self._root}/{_ACTIONS}/{key[:2]}/{key}"

    def _copied(self, path: str, target: str) -> bool:
        try:
            self._opened().get_file(path, target)
        except FileNotFoundError:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(target)
            return False
        return True

    def _put(self, path: str, what: str | bytes, size: int) -> None:
        fs = self._opened()
        if not self._marked:
            self._mark()
        if self._whole:
            write(fs, path, what)
            return
        for folder in (f"{self._root}/{_INCOMING}", path.rpartition("/")[0]):
            if folder not in self._folders:
                fs.makedirs(folder, exist_ok=True)
                self._folders.add(folder)
        beside = f"{self._root}/{_INCOMING}/{socket.gethostname()}-{os.getpid():x}-{os.urandom(8).hex()}"
        try:
            write(fs, beside, what)
            written = fs.info(beside)["size"]
            if written != size:
                raise OSError(f"{written} of {size} bytes were written")
            rename(fs, beside, path, size)
        except BaseException:
            with contextlib.suppress(Exception):
                fs.rm_file(beside)
            raise

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
        """Is it there, and of our layout? Raises OSError."""
        try:
            layout = fs.cat_file(f"{self._root}/{_MARKER}")
        except FileNotFoundError:
            # The folder is not made here: where a network's folder is not mounted, one on this disk would be.
            place = self._root.partition("/")[0] if self._whole else self._root
            if not self._is_there(fs, place):
                what = "bucket" if self._whole else "folder"
                raise OSError(f"there is no {what} {place}: make it, or mount it") from None
            return
        if layout != LAYOUT:
            raise OSError("its layout is not one that this version of bskernel knows")
        self._marked = True

    def _is_there(self, fs: Any, place: str) -> bool:
        if not self._whole:
            return bool(fs.isdir(place))
        try:
            fs.info(place)
        except FileNotFoundError:
            return False
        except PermissionError:
            pass  # who may use a bucket's objects need not be let see the bucket
        return True

    def _mark(self: Any) -> None:
        self._marked = True
        self._put(f"{self._root}/{_MARKER}", LAYOUT, len(LAYOUT))
