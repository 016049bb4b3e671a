"""Kills at each operation of a command: a kernel that ends at its N-th operation, or ends its servers there.

An operation is what Python audits of files, folders, sockets, locks and processes (https://docs.python.org/3/library/
audit_events.html); reading a file outside the cache and the output is none. Run as a program, this file is `bskernel`
with a hook: KILL_AT counts from 1, and the victim dies just before the operation takes place. With KILL_AT=0 nobody
dies, and KILL_COUNT names a file that gets one line per operation.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

Victim = Literal["kernel", "servers", "keepers"]
_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_OPERATIONS = frozenset(
    {
        "fcntl.fcntl", "fcntl.flock", "fcntl.ioctl", "fcntl.lockf", "os.chmod", "os.chown", "os.fork", "os.kill",
        "os.link", "os.listdir", "os.mkdir", "os.putenv", "os.remove", "os.rename", "os.rmdir", "os.scandir",
        "os.symlink", "os.truncate", "os.utime", "shutil.rmtree", "signal.pthread_kill", "socket.bind",
        "socket.connect", "socket.sendmsg", "subprocess.Popen", "tempfile.mkdtemp", "tempfile.mkstemp",
    }
)  # fmt: skip


def _matters(event: str, arguments: tuple[Any, ...], places: Sequence[str]) -> bool:
    if event != "open":
        return event in _OPERATIONS
    path, _, flags = arguments
    inside = isinstance(path, str | bytes | os.PathLike) and os.fsdecode(path).startswith(tuple(places))
    return bool(flags & _CHANGES) or inside


def _marked(mark: bytes) -> Iterator[int]:
    """The processes with `mark` in their environment or command line, but this one."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            said = (folder / "environ").read_bytes() + (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if mark in said and int(folder.name) != os.getpid():
            yield int(folder.name)


def _strike(victim: Victim, cache: str) -> None:
    if victim == "kernel":
        os.kill(os.getpid(), signal.SIGKILL)
    elif victim == "servers":
        for session in Path(cache, "sessions").glob("*"):
            for pid in _marked(f"BSKERNEL_SESSION={session.name}\0".encode()):
                os.kill(pid, signal.SIGKILL)
    else:
        for pid in _marked(f'"cache":"{cache}"'.encode()):
            os.kill(pid, signal.SIGKILL)


def _install(at: int, victim: Victim, places: Sequence[str], count: str | None) -> None:
    seen = 0
    striking = False

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen, striking
        if striking or not _matters(event, arguments, places):
            return
        seen += 1
        if count is not None:
            striking = True
            with Path(count).open("a", encoding="utf-8") as file:
                file.write(f"{event} {arguments!r}\n")
            striking = False
        if seen == at:
            striking = True
            _strike(victim, places[0])

    sys.addaudithook(hook)


def run_until(
    at: int,
    arguments: Sequence[str],
    *,
    cache: Path,
    cwd: Path,
    variables: dict[str, str],
    victim: Victim = "kernel",
    count: Path | None = None,
    timeout_s: float = 300,
) -> subprocess.CompletedProcess[str]:
    """Run `bskernel ARGUMENTS` in `cwd` until its operation `at`, counted from 1, where the victim is killed.

    With `at` 0 nobody is killed. `count` gets a line per operation.
    """
    environment = variables | {
        "KILL_AT": str(at),
        "KILL_VICTIM": victim,
        "KILL_PLACES": os.pathsep.join([str(cache), str(cwd)]),
        "KILL_COUNT": str(count or ""),
    }
    return subprocess.run(
        [sys.executable, "-P", __file__, *arguments],
        env=environment, cwd=cwd, capture_output=True, text=True, check=False, timeout=timeout_s,
    )  # fmt: skip


def count_operations(
    arguments: Sequence[str], *, cache: Path, cwd: Path, variables: dict[str, str], scratch: Path
) -> int:
    """How many operations the command takes when nobody is killed; `scratch` is a file to count in."""
    scratch.unlink(missing_ok=True)
    run_until(0, arguments, cache=cache, cwd=cwd, variables=variables, count=scratch)
    return len(scratch.read_text(encoding="utf-8").splitlines())


def choose_points(operations: int, most: int, seed: int) -> list[int]:
    """At most so many of the points 1 to `operations`, always the same for the same seed, in order."""
    points = list(range(1, operations + 1))
    return points if len(points) <= most else sorted(random.Random(seed).sample(points, most))  # noqa: S311


# Files of the cache that stay although nobody uses it: what is stored, locks, and lists that make later runs faster.
_KEPT_FOLDERS = frozenset({"actions", "blobs", "pending", "packages", "trees", "sources", "unchanged"})
_KEPT_FILES = frozenset(
    {"claims", "in-use", "files.msgpack", "generation", "images.lock", "step-durations.json", "tools.json"}
)
_LONG_LIVED = frozenset({"envs", "code", "bases", "engines", "images"})


def leftovers(cache: Path, output: Path | None = None) -> list[str]:
    """What a command has left in the cache, and in a build directory, that no later command uses."""
    found: list[str] = []
    for path in sorted(cache.iterdir()) if cache.is_dir() else ():
        if path.name in {"sessions", "incoming", "kept"}:
            found += [str(inner) for inner in path.iterdir()]
        elif path.name in _LONG_LIVED:
            found += [str(inner) for inner in path.iterdir() if ".new" in inner.name]
        elif path.name not in _KEPT_FOLDERS | _KEPT_FILES:
            found.append(str(path))
    if output is not None and output.is_dir():
        # Temporary files of atomic writes end in `.new`, or hold the mark of their writer.
        found += [str(path) for path in output.rglob("*") if path.name.endswith(".new") or ".tmp-" in path.name]
    return found


def processes_with(cache: Path) -> list[int]:
    """The processes that name the cache in their environment or command line, other than those of the tests."""
    ours = {os.getpid(), os.getppid()}
    return [pid for pid in _marked(str(cache).encode()) if pid not in ours]


def main() -> None:
    """Be `bskernel`, with the hook."""
    variables = {name: os.environ.pop(name) for name in ("KILL_AT", "KILL_VICTIM", "KILL_PLACES", "KILL_COUNT")}
    victim: Victim = variables["KILL_VICTIM"]  # type: ignore[assignment]
    from bskernel.cli import program

    places = variables["KILL_PLACES"].split(os.pathsep)
    _install(int(variables["KILL_AT"]), victim, places, variables["KILL_COUNT"] or None)
    program()


if __name__ == "__main__":
    main()
