"""Digests of files, reread only when their size, times or inode change."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
from bskernel_protocol import Digest, digest_of_file

from bskernel.host.process import boot
from bskernel.host.temporary import mark
from bskernel.remains.plain_files import move, read_plain
from bskernel.store.seal import seal, unseal

# As in git's index: a file that changed just before it was read may change again within the same tick of the file
# system's clock and look the same. It is reread until its last change is older than any such tick.
_RACY_NS = 2_000_000_000
_MOST = 50_000  # beyond this, only the files of the last command are saved
FILES = "files.msgpack"  # its name in a cache
_LIMIT = 256 << 20  # bytes


class _Known(NamedTuple):
    """A file's `stat` from before it was read, the SHA-256 of its bytes, and names that were found in it."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int
    sha256: str
    names: tuple[str, ...] | None = None  # what `FileDigests.names` found in it

    def matches(self, status: os.stat_result) -> bool:
        """True when the file was not changed or replaced. Programs cannot set its change time back."""
        return self[:5] == (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev)


class _Saved(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    # A power failure can leave a file with other bytes and the same size and times: digests are of one boot.
    boot: str
    known: dict[str, _Known]


_decoder = msgspec.msgpack.Decoder(_Saved)


def is_damaged(path: Path) -> bool:
    """True when the file at `path` holds no digests, of whatever boot."""
    return _read(path) is None


def _read(path: Path) -> _Saved | None:
    body = unseal(FILES, read_plain(path, _LIMIT))
    try:
        return _decoder.decode(body) if body is not None else None
    except (msgspec.DecodeError, ValueError):
        return None


class FileDigests:
    """Reads each file once while it stays the same, across commands too if given a path to save to."""

    def __init__(self, path: Path | None = None) -> None:
        """Loads and saves the digests at `path`; a damaged file, or one of an earlier boot, counts as empty."""
        self._path = path
        self._known: dict[str, _Known] = {}
        self._used: dict[str, _Known] = {}
        self._changed = False
        if path is not None:
            saved = _read(path)
            if saved is not None and saved.boot == boot():
                self._known = saved.known

    def known(self, path: Path) -> Digest | None:
        """The known digest of a file, None if it has changed since it was read. Raises OSError for a missing file."""
        name = os.path.abspath(path)
        sys.audit("bskernel.looked", name)
        known, status = self._known.get(name), os.stat(name)
        if known is None or not known.matches(status):
            return None
        self._used[name] = known
        return Digest(sha256=known.sha256, size=known.size)

    def note(self, path: Path, before: os.stat_result, digest: Digest) -> None:
        """Remember the digest of a file whose `stat` before the read was `before`."""
        if max(before.st_mtime_ns, before.st_ctime_ns) + _RACY_NS > time.time_ns() or before.st_size != digest.size:
            return
        name = os.path.abspath(path)
        if not name.isascii() and not _is_text(name):
            return  # such a name cannot be saved
        self._used[name] = self._known[name] = _Known(
            before.st_size, before.st_mtime_ns, before.st_ctime_ns, before.st_ino, before.st_dev, digest.sha256
        )
        self._changed = True

    def of(self, path: Path) -> Digest:
        """The digest of a file's bytes. Raises OSError when the file cannot be read."""
        digest = self.known(path)
        if digest is None:
            before = path.stat()
            digest = digest_of_file(path)
            self.note(path, before, digest)
        return digest

    def names(self, path: Path, find: Callable[[Path], tuple[str, ...]]) -> tuple[str, ...]:
        """What `find` finds in a file; not asked again for one whose digest is known. One kind of `find` per file.

        Raises what `find` raises, and OSError for a missing file.
        """
        name = os.path.abspath(path)
        unchanged = self.known(path) is not None
        found = self._known[name].names if unchanged else None
        if found is None:
            found = find(path)
            if unchanged:
                self._used[name] = self._known[name] = self._known[name]._replace(names=found)
                self._changed = True
        return found

    def save(self) -> None:
        """Save the digests for later commands. A failure to write is ignored: it only costs time."""
        if self._path is None or not self._changed:
            return
        known = self._known if len(self._known) <= _MOST else self._used
        temporary = self._path.with_name(f"{self._path.name}{mark()}")
        with contextlib.suppress(OSError):
            temporary.write_bytes(seal(FILES, msgspec.msgpack.encode(_Saved(boot=boot(), known=known))))
            move(temporary, self._path)
        self._changed = False


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
