"""Where kept sessions are found: a folder of the user's own, and in it one for each, named by all that it is."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec
from bskernel_protocol import canonical_bytes, digest_of_bytes

from bskernel.core.step import ExecutorRef
from bskernel.runtime.warm.messages import DaemonRecord

_RECORD = "keeper.json"
_SOCKET = "socket"


def require_private(folder: Path) -> None:
    """Raises PermissionError when another user may have put something there."""
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(f"{folder} is not a folder of this user alone (mode 0700)")


class SessionEntry:
    """The folder of one kept session: `keeper.json` and a socket. A lock beside it belongs to its keeper."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path.with_name(f"{path.name}.log")
        self._lock = path.with_name(f"{path.name}.lock")

    @contextlib.contextmanager
    def held(self) -> Iterator[IO[str] | None]:
        """The lock, for a keeper's life or a clean-up; None when another has it. Lock and log go with its holder."""
        with self._lock.open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            if not self._lock.exists() or not os.path.samestat(os.fstat(lock.fileno()), self._lock.stat()):
                yield None  # its holder removed it in this moment
                return
            try:
                yield lock
            finally:
                shutil.rmtree(self.path, ignore_errors=True)
                self.log.unlink(missing_ok=True)
                self._lock.unlink(missing_ok=True)

    def remove(self) -> None:
        """What a keeper that is gone has left; nothing when another has taken its place."""
        with self.held():
            pass

    def listen(self) -> socket.socket:
        """A new folder and in it a socket to be found at. The lock must be held."""
        shutil.rmtree(self.path, ignore_errors=True)
        self.path.mkdir(mode=0o700)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with self._address() as address:
            listener.bind(address)
        listener.listen()
        return listener

    def connect(self) -> socket.socket:
        """Raises OSError when no keeper is there."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with self._address() as address:
                connection.connect(address)
        except OSError:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def _address(self) -> Iterator[str]:
        """The socket's path by way of an open folder: as such it may hold 107 bytes, which caches exceed."""
        folder = os.open(self.path, os.O_PATH | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{folder}/{_SOCKET}"
        finally:
            os.close(folder)

    def write(self, kept: DaemonRecord) -> None:
        """Note down who keeps what."""
        temporary = self.path / f".{_RECORD}"
        temporary.write_bytes(msgspec.json.encode(kept))
        temporary.replace(self.path / _RECORD)

    def read(self) -> DaemonRecord | None:
        """What is noted down; None when nothing that can be read is."""
        try:
            return msgspec.json.decode((self.path / _RECORD).read_bytes(), type=DaemonRecord)
        except (OSError, msgspec.DecodeError):
            return None


class SessionRegistry:
    """The kept sessions of a cache's user."""

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "kept"

    def of(self, executor: ExecutorRef, runtime: str) -> SessionEntry:
        """Where a session of exactly this executor is kept; the digest in its name makes another recipe another."""
        identity = digest_of_bytes(canonical_bytes([runtime, msgspec.to_builtins(executor)])).sha256
        return SessionEntry(self._folder / f"{executor}-{runtime}-{identity[:24]}")

    def make(self) -> None:
        """Have the folder. Raises PermissionError when others may write to it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_private(self._folder)

    def all(self) -> list[tuple[SessionEntry, DaemonRecord]]:
        """All that are noted down, also by keepers that are gone. Raises PermissionError as `make` does."""
        if not self._folder.exists():
            return []
        require_private(self._folder)
        places = [SessionEntry(path) for path in sorted(self._folder.iterdir()) if path.is_dir()]
        return [(place, kept) for place in places if (kept := place.read()) is not None]
