"""Which blobs of a cache count as intact without being read: those that bear the stamp of its generation.

A power failure can leave a file with its right size and times but without its bytes. So a cache notes, on the disk
and before the first blob is written, that it has bytes that may not be there yet, and in which boot of the machine.
At the end of a build the disk is synchronised once and the note removed. A process that finds such a note from an
earlier boot begins a new generation: every blob is read once more before it counts. So does one that finds a stamped
blob wrong, and the first one after a boot of the machine that began the generation: some disks lose what they said
was written. Another machine with the same cache does not, or two of them would take turns.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path

import msgspec

from bskernel.host.process import boot
from bskernel.host.temporary import mark
from bskernel.remains.plain_files import move, read_plain
from bskernel.store.seal import seal, unseal

GENERATION = "generation"
_FIRST_S = 315_532_800  # 1980: no file system's times begin later
_GENERATIONS = 1 << 27
_LIMIT = 4096  # bytes
_NO_SYNC = "BSKERNEL_SYNC"  # =no: do not wait for the disk. For machines that are thrown away, as in CI


class _State(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    stamp_s: int
    host: str  # where the generation began, and in which boot
    boot: str
    unsynced: str = ""  # the boot in which bytes were written that may not be on the disk yet


_states = msgspec.msgpack.Decoder(_State)


class Generation:
    """The generation of one cache: a small file in it, replaced when it changes."""

    def __init__(self, cache: Path) -> None:
        """Begins a new generation after a power failure, or when the file is missing or damaged."""
        self._cache = cache
        self._path = cache / GENERATION
        self._lock = threading.Lock()
        self._writing = False
        state = self._read()
        self._dirty = state is not None and state.unsynced != ""
        self._state = state or _begun()
        if state is None or state.unsynced not in {"", boot()}:
            # What was not synchronised before the power failed never will be: it is read instead.
            self._state = _begun()
            self._save()
        elif state.host == _host() and state.boot != boot():
            self._state = msgspec.structs.replace(_begun(), unsynced=state.unsynced)
            if not self._save():
                self._state = state  # a cache that nobody writes to: each run would read all of it

    @property
    def stamp_ns(self) -> int:
        """The modification time of blobs that were found intact in this generation, in nanoseconds."""
        return self._state.stamp_s * 10**9

    def begin_writing(self) -> None:
        """Note durably that bytes are written which may not be on the disk yet. Raises OSError."""
        self._dirty = True
        if self._writing:
            return
        with self._lock:
            state = self._read() or self._state
            if state.unsynced != boot():
                self._write(msgspec.structs.replace(state, unsynced=boot()), durable=True)
            self._writing = True

    def distrust(self) -> None:
        """Begin a new generation: a blob with this one's stamp was wrong, so others may be."""
        with self._lock:
            self._state = msgspec.structs.replace(self._read() or self._state, stamp_s=_drawn())
            self._save()

    def flush(self) -> None:
        """Wait until all that was written to the cache so far is on the disk; returns at once when it is."""
        if self._dirty:
            self._dirty = False
            sync_file_system(self._cache)

    def settle(self) -> None:
        """The same, and note it. Only for the one process that uses the cache."""
        if not self.is_unsynced:
            return
        sync_file_system(self._cache)
        if os.environ.get(_NO_SYNC) == "no":
            return
        with self._lock:
            self._writing = False
            state = self._read()
            if state is not None:
                with contextlib.suppress(OSError):
                    self._write(msgspec.structs.replace(state, unsynced=""), durable=False)

    @property
    def is_unsynced(self) -> bool:
        """True when something was written that may not be on the disk yet."""
        state = self._read()
        return state is not None and state.unsynced != ""

    @staticmethod
    def is_damaged(path: Path) -> bool:
        """True when the file at `path` does not say which generation a cache is in."""
        return _read(path) is None

    def _read(self) -> _State | None:
        return _read(self._path)

    def _save(self) -> bool:
        """Write the state; False for a cache that cannot be written to."""
        with contextlib.suppress(OSError):
            self._write(self._state, durable=False)
            return True
        return False

    def _write(self, state: _State, *, durable: bool) -> None:
        temporary = self._cache / "incoming" / f"{GENERATION}{mark()}"
        try:
            with temporary.open("xb") as file:
                file.write(seal(GENERATION, msgspec.msgpack.encode(state)))
                file.flush()
                if durable:
                    sync_file(file.fileno())
            move(temporary, self._path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if durable:
            folder = os.open(self._cache, os.O_RDONLY | os.O_DIRECTORY)
            try:
                sync_file(folder)
            finally:
                os.close(folder)
        self._state = state


def _read(path: Path) -> _State | None:
    body = unseal(GENERATION, read_plain(path, _LIMIT))
    if body is None:
        return None
    try:
        return _states.decode(body)
    except (msgspec.DecodeError, ValueError):
        return None


def _host() -> str:
    return os.uname().nodename


def _begun() -> _State:
    return _State(stamp_s=_drawn(), host=_host(), boot=boot())


def _drawn() -> int:
    # Even seconds: some file systems know no others.
    return _FIRST_S + 2 * (int.from_bytes(os.urandom(8), "big") % _GENERATIONS)


def sync_file(file: int) -> None:
    """Wait until a file or folder is on the disk. Does nothing where the file system cannot, or BSKERNEL_SYNC=no."""
    if os.environ.get(_NO_SYNC) != "no":
        with contextlib.suppress(OSError):
            os.fsync(file)


def sync_file_system(folder: Path) -> None:
    """Wait until everything written to the file system of a folder is on the disk. BSKERNEL_SYNC=no: do nothing."""
    if os.environ.get(_NO_SYNC) == "no":
        return
    import ctypes

    with contextlib.suppress(OSError):
        file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if ctypes.CDLL(None).syncfs(file):
                os.sync()
        finally:
            os.close(file)
