"""The folders of a session, their owner, and how to find those of a dead owner.

A session's folder appears whole: it is made under a temporary name, with its owner in it, and removed under one. Its
owner holds a lock on owner.json, which ends with the process however that ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import signal
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
from bskernel_protocol.plain_file import NotPlainError, read_plain

from bskernel.core.places import cache_place, within
from bskernel.host.process import boot, start_time
from bskernel.host.temporary import is_left, mark
from bskernel.remains.folder import ASIDE
from bskernel.remains.limits import OWNER_LARGEST
from bskernel.remains.plain_files import open_plain
from bskernel.remains.removal import empty, remove

_OWNER, _RUNTIME = "owner.json", "runtime"
_KILL_S = 5.0  # a process that has not ended by then waits for a disk or belongs to another user
_held: dict[Path, int] = {}  # session folder -> the descriptor that locks its owner.json


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """The process that owns a session: a kernel or a warm session's daemon.

    Its start time distinguishes it from a later process with the same PID.
    """

    pid: int
    started: str
    boot: str
    host: str = ""  # several machines may share a cache

    @property
    def alive(self) -> bool:
        """True while this process runs."""
        return self.boot == boot() and self.started == start_time(self.pid)

    @property
    def gone(self) -> bool:
        """True when it ran on this machine and has ended. Processes of other machines never count as gone."""
        return self.host in {"", platform.node()} and not self.alive


def this_process() -> Owner:
    """This process as an owner."""
    return Owner(pid=os.getpid(), started=start_time(os.getpid()), boot=boot(), host=platform.node())


class SessionFolders(msgspec.Struct, frozen=True, kw_only=True):
    """A session's folder with its step directories, their inputs, and its server's home."""

    id: str
    path: Path

    @property
    def steps(self) -> Path:
        """The folder of step directories."""
        return self.path / "steps"

    @property
    def inputs(self) -> Path:
        """The folder of inputs, with one folder per step directory."""
        return self.path / "inputs"

    @property
    def home(self) -> Path:
        """HOME and TMPDIR of the server."""
        return self.path / "home"

    @property
    def aside(self) -> Path:
        """The folder beside `steps` where the kernel lays out step directories, and takes ended ones."""
        return self.path / ASIDE

    @property
    def runtime(self) -> str:
        """The runtime of the session: `docker` or `process`."""
        try:
            return read_plain(str(self.path / _RUNTIME), OWNER_LARGEST).decode("ascii", "replace")
        except (OSError, NotPlainError):
            return ""

    def remove(self) -> None:
        """Remove all folders."""
        doomed = self.path.with_name(f"{self.path.name}{mark()}")
        try:
            self.path.rename(doomed)
        except OSError:
            doomed = self.path
        remove(doomed)
        if (held := _held.pop(self.path, None)) is not None:
            os.close(held)

    def clear(self) -> bool:
        """Remove the leftovers of steps; False when something cannot be removed."""
        emptied = [empty(folder) for folder in (self.steps, self.inputs, self.aside)]
        return all(emptied)

    def are_ours(self) -> bool:
        """True when this process owns the folders and so must remove them."""
        return owner_of(self.path) == this_process()

    def take_over(self) -> None:
        """Make this process the owner. Raises OSError when the folders are gone."""
        _write_owner(self.path, self.path)


def _write_owner(folder: Path, session: Path) -> None:
    """Write this process as the owner into the folder, and hold the lock for the session."""
    temporary = folder / f"{_OWNER}{mark()}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with contextlib.suppress(OSError):  # a file system without locks: the process's PID must do
            fcntl.flock(fd, fcntl.LOCK_EX)
        os.write(fd, msgspec.json.encode(this_process()))
        temporary.replace(folder / _OWNER)
    except BaseException:
        os.close(fd)
        raise
    if (former := _held.pop(session, None)) is not None:
        os.close(former)
    _held[session] = fd


def owner_of(path: Path) -> Owner | None:
    """The owner of a session's folder, None if it cannot be read."""
    try:
        return msgspec.json.decode(read_plain(str(path / _OWNER), OWNER_LARGEST), type=Owner)
    except (OSError, NotPlainError, ValueError, RecursionError):
        return None


def _is_locked(path: Path) -> bool:
    """Whether a process holds the lock on the owner's file."""
    try:
        fd = open_plain(path / _OWNER, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False


def _is_orphaned(path: Path) -> bool:
    """Whether nobody owns a session's folder, or its owner has died."""
    if ".tmp-" in path.name:
        return is_left(path)
    try:
        data = read_plain(str(path / _OWNER), OWNER_LARGEST)
    except (FileNotFoundError, NotPlainError):
        return path.is_dir()
    except OSError:
        return False  # another user's
    try:
        owner = msgspec.json.decode(data, type=Owner)
    except (ValueError, RecursionError):
        return not _is_locked(path)
    return owner.gone and not _is_locked(path)


def folders_of(cache: Path, session_id: str) -> SessionFolders:
    """The folders of a session, whether or not they exist."""
    return SessionFolders(id=session_id, path=cache / "sessions" / session_id)


def make_folders(cache: Path, runtime: str) -> SessionFolders:
    """Create the folders of a new session of that runtime, owned by this process. Raises EnvironmentLacking."""
    session = folders_of(cache, uuid.uuid4().hex)
    with within(cache_place(cache)):
        _make_folders(session, runtime)
    return session


def _make_folders(session: SessionFolders, runtime: str) -> None:
    new = SessionFolders(id=session.id, path=session.path.with_name(f"{session.id}{mark()}"))
    # Nobody else may enter: a step may leave programs there that have the user's rights, whatever the umask.
    new.path.mkdir(parents=True, mode=0o700)
    for folder in (new.steps, new.inputs, new.aside, new.home):
        folder.mkdir(mode=0o700)
    (new.path / _RUNTIME).write_text(runtime, encoding="ascii")
    _write_owner(new.path, session.path)
    new.path.rename(session.path)


def find_orphans(cache: Path) -> Iterator[SessionFolders]:
    """The folders of sessions whose owner has died, also half-made and half-removed ones."""
    try:
        names = sorted(os.listdir(cache / "sessions"))  # noqa: PTH208 - every command asks
    except OSError:
        return
    for name in names:
        path = cache / "sessions" / name
        if _is_orphaned(path):
            yield SessionFolders(id=name.partition(".")[0], path=path)


def processes_of(session_id: str) -> list[int]:
    """The PIDs of all processes with the session's identifier in their environment, whatever their parent is now."""
    variable = f"BSKERNEL_SESSION={session_id}".encode()
    pids = []
    for pid in _all_pids():
        with contextlib.suppress(OSError):
            if variable in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                pids.append(pid)
    return pids


def end_processes_of(folders: SessionFolders) -> None:
    """Kill all processes of a session, including those that left its process group, until none remains.

    A process whose environment was cleared is known by its working directory.
    """
    deadline = time.monotonic() + _KILL_S
    while pids := {*processes_of(folders.id), *_processes_in(folders.path)}:
        alive = [pid for pid in pids if pid != os.getpid() and start_time(pid) != "gone"]
        if not alive or time.monotonic() > deadline:
            return
        for pid in alive:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _processes_in(folder: Path) -> list[int]:
    """The PIDs of all processes that work in a folder."""
    inside = f"{folder}/"
    pids = []
    for pid in _all_pids():
        with contextlib.suppress(OSError):
            if f"{os.readlink(f'/proc/{pid}/cwd')}/".startswith(inside):  # noqa: PTH115 - no path
                pids.append(pid)
    return pids


def _all_pids() -> Iterator[int]:
    # No glob with a name below the PID: it asks whether each file is there, and fails for a process that just ended.
    return (int(name) for name in os.listdir("/proc") if name.isdigit())  # noqa: PTH208 - names are enough
