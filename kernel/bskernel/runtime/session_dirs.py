"""The folders of a session, their owner, and how to find those of a dead owner."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bskernel.core.places import cache_place, within

_OWNER = "owner.json"


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
        return self.boot == _boot() and self.started == _start_time(self.pid)

    @property
    def gone(self) -> bool:
        """True when it ran on this machine and has ended. Processes of other machines never count as gone."""
        return self.host in {"", platform.node()} and not self.alive


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _start_time(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "gone"
    fields = text.rpartition(")")[2].split()
    return "gone" if fields[0] == "Z" else fields[19]


def this_process() -> Owner:
    """This process as an owner."""
    return Owner(pid=os.getpid(), started=_start_time(os.getpid()), boot=_boot(), host=platform.node())


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

    def remove(self) -> None:
        """Remove all folders."""
        _remove(self.path)

    def clear(self) -> bool:
        """Remove the leftovers of steps; False when something cannot be removed."""
        leftovers = [path for folder in (self.steps, self.inputs) for path in folder.iterdir()]
        for path in leftovers:
            if path.is_dir() and not path.is_symlink():
                _remove(path)
            else:
                path.unlink(missing_ok=True)
        return not any(os.path.lexists(path) for path in leftovers)

    def are_ours(self) -> bool:
        """True when this process owns the folders and so must remove them."""
        return owner_of(self.path) == this_process()

    def take_over(self) -> None:
        """Make this process the owner. Raises OSError when the folders are gone."""
        temporary = self.path / ".owner.json"
        temporary.write_bytes(msgspec.json.encode(this_process()))
        temporary.replace(self.path / _OWNER)


def _remove(path: Path) -> None:
    for folder, _, _ in os.walk(path):
        with contextlib.suppress(OSError):
            Path(folder).chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)


def owner_of(path: Path) -> Owner | None:
    """The owner of a session's folder, None if it cannot be read."""
    try:
        return msgspec.json.decode((path / _OWNER).read_bytes(), type=Owner)
    except (OSError, msgspec.DecodeError):
        return None


def folders_of(cache: Path, session_id: str) -> SessionFolders:
    """The folders of a session, whether or not they exist."""
    return SessionFolders(id=session_id, path=cache / "sessions" / session_id)


def make_folders(cache: Path) -> SessionFolders:
    """Create the folders of a new session, owned by this process. Raises EnvironmentLacking."""
    session = folders_of(cache, uuid.uuid4().hex)
    with within(cache_place(cache)):
        session.path.mkdir(parents=True)
        session.take_over()
        for folder in (session.steps, session.inputs, session.home):
            folder.mkdir()
    return session


def find_orphans(cache: Path) -> Iterator[SessionFolders]:
    """The folders of sessions whose owner has died."""
    for path in sorted((cache / "sessions").glob("*")):
        owner = owner_of(path)
        if owner is not None and owner.gone:
            yield SessionFolders(id=path.name, path=path)


def processes_of(session_id: str) -> list[int]:
    """The PIDs of all processes with the session's identifier in their environment, whatever their parent is now."""
    variable = f"BSKERNEL_SESSION={session_id}".encode()
    pids = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if variable in path.read_bytes().split(b"\0"):
                pids.append(int(path.parent.name))
    return pids


def end_processes_of(session_id: str) -> None:
    """Kill all processes of a session, including those that left its process group, until none remains."""
    while pids := [pid for pid in processes_of(session_id) if _start_time(pid) != "gone"]:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
