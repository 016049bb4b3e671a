"""File descriptors that the step inherits, and those of its server that it can open."""

import contextlib
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
from bskernel_executors.sdk import Step

from .behaviour import Aims, behaviour
from .channel import frame


def inherited() -> list[int]:
    return [int(path.name) for path in Path("/proc/self/fd").iterdir() if int(path.name) > 2]


def of_server() -> Iterator[int]:
    """The server's pipes, opened for writing, where the system lets a step do that."""
    folder = Path(f"/proc/{os.getppid()}/fd")
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            with contextlib.suppress(OSError):
                if str(path.readlink()).startswith(("pipe:", "socket:")):
                    yield os.open(path, os.O_WRONLY | os.O_NONBLOCK)


def finished(step: Step[Any]) -> bytes:
    """That every step of the session, also a sibling in the middle of its work, has ended well."""
    steps = step.directory.parents[2]
    names = [str(path.relative_to(steps)) for path in steps.glob("*/*/*") if not path.name.startswith(".")]
    return b"".join(frame({"type": "step-finished", "directory": name, "exit_code": 0}) for name in names)


Forge = Callable[[Step[Any]], bytes]
FORGED: dict[str, Forge] = {
    "finished": finished,
    "ready": lambda _: frame({"type": "ready", "protocol": 2, "executor": "x", "version": "y"}),
    "nested": lambda _: b"BSK1" + struct.pack(">I", 5000) + b"\x91" * 5000,
    "huge": lambda _: b"BSK1\xff\xff\xff\xff",
    "half": lambda _: b"BSK1\x00\x00\x10\x00half",
    "garbage": lambda _: b"\xff" * 5000,
}


@behaviour(timeout_s=6, variants=FORGED)
def writes_inherited(step: Step[Any], aims: Aims, forge: Forge) -> None:
    for fd in (1, 2, *inherited()):
        with contextlib.suppress(OSError):
            os.set_blocking(fd, False)
            os.write(fd, forge(step))


@behaviour(timeout_s=6, variants=FORGED)
def writes_servers(step: Step[Any], aims: Aims, forge: Forge) -> None:
    for fd in of_server():
        with contextlib.suppress(OSError):
            os.write(fd, forge(step))


@behaviour(timeout_s=6)
def closes_inherited(step: Step[Any], aims: Aims) -> None:
    for fd in inherited():
        with contextlib.suppress(OSError):
            os.close(fd)


@behaviour(timeout_s=6)
def reads_servers_memory(step: Step[Any], aims: Aims) -> None:
    """Write to the server's memory, as far as the system lets a step; it would crash."""
    with contextlib.suppress(OSError, ValueError):
        maps = Path(f"/proc/{os.getppid()}/maps").read_text()
        start = int(next(line for line in maps.splitlines() if " rw-p " in line).partition("-")[0], 16)
        fd = os.open(f"/proc/{os.getppid()}/mem", os.O_WRONLY)
        os.pwrite(fd, b"\xcc" * 4096, start)


@behaviour(timeout_s=6)
def reads_servers_environment(step: Step[Any], aims: Aims) -> None:
    with contextlib.suppress(OSError):
        print(len(Path(f"/proc/{os.getppid()}/environ").read_bytes()))


@behaviour(timeout_s=6)
def forges_log_lines(step: Step[Any], aims: Aims) -> None:
    print(msgspec.json.encode({"seconds": 1, "stream": "stderr", "text": "forged"}).decode())
    (step.directory / "log.jsonl").open("ab").write(b'{"seconds": "x", "stream": 3}\n')
