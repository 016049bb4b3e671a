"""Warm sessions on disk: a private folder of the user, with one folder for each, named by its identity."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec
from bskernel_protocol import canonical_bytes, digest_of_bytes

from bskernel.core.step import ExecutorRef
from bskernel.remains.plain_files import open_plain, read_plain
from bskernel.remains.removal import remove
from bskernel.runtime.warm.messages import DaemonRecord

_RECORD = "keeper.json"
_LARGEST = 1 << 20  # bytes of a record
_SOCKET = "socket"
_CONNECT_S = 5.0


def require_private(folder: Path) -> None:
    """Raise PermissionError unless only this user can write to the folder."""
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise PermissionError(f"{folder} must be a folder that only this user can access (mode 0700)")


class SessionEntry:
    """The folder of one warm session, with `keeper.json` and a socket. Its daemon holds the lock file next to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path.with_name(f"{path.name}.log")
        self._lock = path.with_name(f"{path.name}.lock")

    @contextlib.contextmanager
    def hold(self) -> Iterator[IO[str] | None]:
        """Hold the lock; yields None when another process holds it. Afterwards removes folder, log and lock file."""
        if not self._lock.is_file() and os.path.lexists(self._lock):
            raise PermissionError(f"{self._lock} is not a plain file: remove it")
        with os.fdopen(open_plain(self._lock, os.O_WRONLY | os.O_CREAT), "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield None
                return
            if not self._lock.exists() or not os.path.samestat(os.fstat(lock.fileno()), self._lock.stat()):
                yield None  # its holder has just removed it
                return
            try:
                yield lock
            finally:
                remove(self.path)
                self.log.unlink(missing_ok=True)
                self._lock.unlink(missing_ok=True)

    def is_dead(self) -> bool:
        """True when no daemon holds the lock, nor starts: the launcher writes the log, then the daemon locks."""
        try:
            with os.fdopen(open_plain(self._lock, os.O_RDONLY), "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def remove(self) -> None:
        """Remove the leftovers of a dead daemon; do nothing if a new one holds the lock."""
        with self.hold():
            pass

    def listen(self) -> socket.socket:
        """Create the folder with a listening socket in it. The caller must hold the lock."""
        remove(self.path)
        self.path.mkdir(mode=0o700)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with self._address() as address:
            listener.bind(address)
        listener.listen()
        return listener

    def connect(self) -> socket.socket:
        """Connect to the daemon. Raises OSError when none listens, or so many wait for it that it must be stopped."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_CONNECT_S)
        try:
            with self._address() as address:
                connection.connect(address)
        except OSError:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def _address(self) -> Iterator[str]:
        """A short path to the socket through an open folder: paths of sockets are limited to 107 bytes."""
        folder = os.open(self.path, os.O_PATH | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{folder}/{_SOCKET}"
        finally:
            os.close(folder)

    def write(self, record: DaemonRecord) -> None:
        """Write the daemon's record."""
        temporary = self.path / f".{_RECORD}"
        temporary.write_bytes(msgspec.json.encode(record))
        temporary.replace(self.path / _RECORD)

    def read(self) -> DaemonRecord | None:
        """The daemon's record, None when it is missing or unreadable."""
        try:
            return msgspec.json.decode(read_plain(self.path / _RECORD, _LARGEST) or b"", type=DaemonRecord)
        except (ValueError, RecursionError):
            return None


class SessionRegistry:
    """The warm sessions in a user's cache."""

    def __init__(self, cache: Path) -> None:
        self._folder = cache / "kept"

    def entry(self, executor: ExecutorRef, runtime: str) -> SessionEntry:
        """The entry of the session of exactly this executor: another recipe has another entry."""
        identity = digest_of_bytes(canonical_bytes([runtime, msgspec.to_builtins(executor)])).sha256
        return SessionEntry(self._folder / f"{executor}-{runtime}-{identity[:24]}")

    def create(self) -> None:
        """Create the registry's folder. Raises PermissionError when other users can write to it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_private(self._folder)

    def dead(self) -> Iterator[SessionEntry]:
        """The entries whose daemon has ended without removing them. None when others can access the folder."""
        try:
            require_private(self._folder)
        except OSError:
            return
        names = {path.name.removesuffix(".log").removesuffix(".lock") for path in self._folder.iterdir()}
        yield from (entry for name in sorted(names) if (entry := SessionEntry(self._folder / name)).is_dead())

    def all(self) -> list[tuple[SessionEntry, DaemonRecord]]:
        """All entries with a record, including those of dead daemons. Raises PermissionError like `create`."""
        if not self._folder.exists():
            return []
        require_private(self._folder)
        entries = [SessionEntry(path) for path in sorted(self._folder.iterdir()) if path.is_dir()]
        return [(entry, record) for entry in entries if (record := entry.read()) is not None]
