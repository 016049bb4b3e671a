"""Digests of files that have not changed since they were last read, by what the file system says of them."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
from bskernel_protocol import Digest, digest_of_file

# As in git's index: a file that was changed just before it was read may change again within the same tick of the
# file system's clock, and look the same. It is read anew until its last change is older than any such tick.
_RACY_NS = 2_000_000_000
_MOST = 50_000  # beyond this, only what the last command asked for is kept


class _Known(NamedTuple):
    """What `stat` said of a file before it was read, and the SHA-256 of its bytes."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int
    sha256: str

    def is_of(self, found: os.stat_result) -> bool:
        """Has the file not been changed or replaced? Its change time cannot be set back."""
        return self[:5] == (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev)


_decoder = msgspec.msgpack.Decoder(dict[str, _Known])


class FileDigests:
    """Reads each file once as long as it stays the same, also over several commands when it has a file of its own."""

    def __init__(self, path: Path | None = None) -> None:
        """What is remembered lies at `path`; what is damaged there counts as forgotten."""
        self._path = path
        self._known: dict[str, _Known] = {}
        self._used: dict[str, _Known] = {}
        self._changed = False
        if path is not None:
            with contextlib.suppress(OSError, msgspec.DecodeError):
                self._known = _decoder.decode(path.read_bytes())

    def known(self, path: Path) -> Digest | None:
        """The digest of a file that is as it was when it was read last. Raises OSError when there is none."""
        name = os.path.abspath(path)
        known, found = self._known.get(name), os.stat(name)
        if known is None or not known.is_of(found):
            return None
        self._used[name] = known
        return Digest(sha256=known.sha256, size=known.size)

    def note(self, path: Path, before: os.stat_result, digest: Digest) -> None:
        """Remember what was read of a file of which `stat` said `before` before it was read."""
        if max(before.st_mtime_ns, before.st_ctime_ns) + _RACY_NS > time.time_ns() or before.st_size != digest.size:
            return
        name = os.path.abspath(path)
        self._used[name] = self._known[name] = _Known(
            before.st_size, before.st_mtime_ns, before.st_ctime_ns, before.st_ino, before.st_dev, digest.sha256
        )
        self._changed = True

    def of(self, path: Path) -> Digest:
        """The digest of a file's bytes. Raises OSError when it cannot be read."""
        digest = self.known(path)
        if digest is None:
            before = path.stat()
            digest = digest_of_file(path)
            self.note(path, before, digest)
        return digest

    def save(self) -> None:
        """Remember for later commands. That it cannot be written costs time, nothing else."""
        if self._path is None or not self._changed:
            return
        known = self._known if len(self._known) <= _MOST else self._used
        temporary = self._path.with_name(f"{self._path.name}.{os.urandom(4).hex()}")
        with contextlib.suppress(OSError):
            temporary.write_bytes(msgspec.msgpack.encode(known))
            temporary.replace(self._path)
        self._changed = False
