"""The folders of a session, who owns them, and how those of a dead owner are found."""

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

_OWNER = "owner.json"


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """The process that a session belongs to, a kernel or a keeper.

    Its start time tells it from a later one of the same number.
    """

    pid: int
    started: str
    boot: str
    host: str = ""  # a cache may be that of several machines

    @property
    def alive(self) -> bool:
        """Does this process still run?"""
        return self.boot == _boot() and self.started == _started(self.pid)

    @property
    def gone(self) -> bool:
        """Did it run on this machine, and does no more? What others do is for them to know."""
        return self.host in {"", platform.node()} and not self.alive


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _started(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "gone"
    fields = text.rpartition(")")[2].split()
    return "gone" if fields[0] == "Z" else fields[19]


def this_process() -> Owner:
    """The owner that this process is."""
    return Owner(pid=os.getpid(), started=_started(os.getpid()), boot=_boot(), host=platform.node())


class SessionFolders(msgspec.Struct, frozen=True, kw_only=True):
    """One session's folder: step directories, their inputs, and a home for its server."""

    id: str
    path: Path

    @property
    def steps(self) -> Path:
        """Step directories."""
        return self.path / "steps"

    @property
    def inputs(self) -> Path:
        """Inputs of the steps, by the step directory's name."""
        return self.path / "inputs"

    @property
    def home(self) -> Path:
        """HOME and TMPDIR of the server."""
        return self.path / "home"

    def remove(self) -> None:
        """Remove all of it."""
        _remove(self.path)

    def clear(self) -> bool:
        """Remove what is left of steps; False when something cannot be removed."""
        left = [path for folder in (self.steps, self.inputs) for path in folder.iterdir()]
        for path in left:
            if path.is_dir() and not path.is_symlink():
                _remove(path)
            else:
                path.unlink(missing_ok=True)
        return not any(os.path.lexists(path) for path in left)

    def are_ours(self) -> bool:
        """Is this process their owner? Whoever is removes them."""
        return owner_of(self.path) == this_process()

    def take_over(self) -> None:
        """Make this process their owner. Raises OSError when they are gone."""
        temporary = self.path / ".owner.json"
        temporary.write_bytes(msgspec.json.encode(this_process()))
        temporary.replace(self.path / _OWNER)


def _remove(path: Path) -> None:
    for folder, _, _ in os.walk(path):
        with contextlib.suppress(OSError):
            Path(folder).chmod(0o700)
    shutil.rmtree(path, ignore_errors=True)


def owner_of(path: Path) -> Owner | None:
    """Who a session's folder belongs to; None when there is none."""
    try:
        return msgspec.json.decode((path / _OWNER).read_bytes(), type=Owner)
    except (OSError, msgspec.DecodeError):
        return None


def folders_of(cache: Path, session_id: str) -> SessionFolders:
    """Where the folders of a session lie."""
    return SessionFolders(id=session_id, path=cache / "sessions" / session_id)


def make_folders(cache: Path) -> SessionFolders:
    """New folders, owned by this process."""
    session = folders_of(cache, uuid.uuid4().hex)
    session.path.mkdir(parents=True)
    session.take_over()
    for folder in (session.steps, session.inputs, session.home):
        folder.mkdir()
    return session


def abandoned(cache: Path) -> Iterator[SessionFolders]:
    """Folders whose owner is gone."""
    for path in sorted((cache / "sessions").glob("*")):
        owner = owner_of(path)
        if owner is not None and owner.gone:
            yield SessionFolders(id=path.name, path=path)


def processes_of(session_id: str) -> list[int]:
    """Processes that carry the session's mark in their environment, wherever they have moved to."""
    mark = f"BSKERNEL_SESSION={session_id}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def end_processes_of(session_id: str) -> None:
    """Kill all processes of a session, also those that left its process group, until none is left."""
    while pids := [pid for pid in processes_of(session_id) if _started(pid) != "gone"]:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
