"""A step that a child of the server carries out: its process, its pipes and its log."""

from __future__ import annotations

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Literal, NoReturn

import msgspec
from bskernel_protocol import LogLine
from bskernel_protocol.layout import LOG

from bskernel_executors.sdk.child import carry_out_step, limits_memory, uses_tools
from bskernel_executors.sdk.memory import oom_kills
from bskernel_executors.sdk.offspring import become_reaper, die_with, go_on_below_a_reaper, kill_group
from bskernel_executors.sdk.registry import Registry

_LONGEST_LINE = 64 * 1024
StreamName = Literal["stdout", "stderr", "progress"]
Line = tuple[StreamName, str]


@dataclass(kw_only=True)
class Stream:
    """Lines of one of the child's pipes, cut at line ends."""

    name: StreamName
    fd: int
    rest: bytes = b""

    def read(self) -> list[str] | None:
        """New whole lines, or None when the pipe is closed."""
        data = os.read(self.fd, 1 << 16)
        if not data:
            return None
        *lines, self.rest = (self.rest + data).replace(b"\r", b"\n").split(b"\n")
        if len(self.rest) > _LONGEST_LINE:
            lines, self.rest = [*lines, self.rest], b""
        return [line.decode("utf-8", "replace") for line in lines if line.strip()]


@dataclass(kw_only=True)
class Running:
    """The child that carries out a step, and where what it says goes."""

    directory: str
    pid: int
    pidfd: int  # readable once the child has ended
    log: FileIO  # unbuffered: what a step said must be there however its server ends
    began: float
    oom_kills: int
    limited: bool  # in its memory
    streams: list[Stream]

    def fds(self) -> Iterator[int]:
        """The server's own, which no other step must hold."""
        yield from (self.pidfd, self.log.fileno())
        yield from (stream.fd for stream in self.streams)

    def note(self, stream: StreamName, text: str) -> None:
        """Write a line to the step's log."""
        seconds = round(time.monotonic() - self.began, 3)
        self.log.write(msgspec.json.encode(LogLine(seconds=seconds, stream=stream, text=text)) + b"\n")

    def cancel(self) -> None:
        """Kill the child; that it has ended is heard of as always."""
        kill_group(self.pid)

    def reap(self) -> tuple[int, int]:
        """Exit code of the child, and how many MiB the largest of the step's processes held."""
        kill_group(self.pid)
        _, status, usage = os.wait4(self.pid, 0)
        return os.waitstatus_to_exitcode(status), usage.ru_maxrss >> 10

    def drain(self) -> Iterator[Line]:
        """What is still in the pipes, once every process of the step has ended."""
        for stream in self.streams:
            os.set_blocking(stream.fd, False)
            try:
                while (lines := stream.read()) is not None:
                    yield from ((stream.name, text) for text in lines)
            except BlockingIOError:
                pass
            if stream.rest.strip():
                yield stream.name, stream.rest.decode("utf-8", "replace")

    def close(self) -> None:
        """Close the server's ends."""
        for stream in self.streams:
            os.close(stream.fd)
        self.log.close()
        os.close(self.pidfd)


@dataclass(kw_only=True)
class Spare:
    """A child that waits to be told which step to carry out: to fork one can take longer than the step."""

    pid: int
    order: int  # what is written here is the step's directory
    streams: list[Stream]

    def fds(self) -> Iterator[int]:
        """The server's own, which no other child must hold."""
        yield self.order
        yield from (stream.fd for stream in self.streams)

    def begin(self, root: Path, directory: str) -> Running:
        """Have it carry out the step in `directory`. Raises BrokenPipeError when it has been ended."""
        log = (root / directory / LOG).open("wb", buffering=0)
        kills = oom_kills() or 0
        try:
            os.write(self.order, directory.encode())
        except BrokenPipeError:
            log.close()
            raise
        os.close(self.order)
        return Running(
            directory=directory,
            pid=self.pid,
            pidfd=os.pidfd_open(self.pid),
            log=log,
            began=time.monotonic(),
            oom_kills=kills,
            limited=limits_memory(root / directory),
            streams=self.streams,
        )

    def end(self) -> None:
        """End it unused."""
        kill_group(self.pid)
        os.waitpid(self.pid, 0)
        for fd in self.fds():
            os.close(fd)


def fork_spare(registry: Registry, root: Path, held: Iterable[int]) -> Spare:
    """Fork a child for a step whose directory will lie under `root`; it closes the fds that are `held` for others."""
    pipes: list[tuple[StreamName, int, int]] = []
    for name in ("stdout", "stderr", "progress"):
        read_end, write_end = os.pipe()
        pipes.append((name, read_end, write_end))
    awaited, order = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        ends = [write_end for _, _, write_end in pipes]
        _become_child(registry, root, awaited, ends, server, (*held, order, *(read_end for _, read_end, _ in pipes)))
    for fd in (awaited, *(write_end for _, _, write_end in pipes)):
        os.close(fd)
    return Spare(pid=pid, order=order, streams=[Stream(name=name, fd=read_end) for name, read_end, _ in pipes])


def _become_child(
    registry: Registry, root: Path, awaited: int, ends: list[int], server: int, held: Iterable[int]
) -> NoReturn:
    status = 1
    try:
        os.setpgid(0, 0)
        die_with(server)
        become_reaper()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for fd in held:
            os.close(fd)
        os.dup2(ends[0], 1)
        os.dup2(ends[1], 2)
        # What was printed must be in the log however the step ends: in a pipe Python would keep it back.
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        directory = os.read(awaited, _LONGEST_LINE).decode()
        os.close(awaited)
        if not directory:
            os._exit(0)
        step = root / directory
        if uses_tools(step):
            go_on_below_a_reaper()
        with os.fdopen(ends[2], "w", buffering=1, encoding="utf-8") as progress:
            tell: Callable[[str], None] = lambda text: print(" ".join(text.split()), file=progress)  # noqa: E731
            result = carry_out_step(registry, step, tell)
            sys.stdout.flush()
            sys.stderr.flush()
        status = 1 if result.failure else 0
    except BaseException:  # noqa: BLE001 - a forked child must never run its parent's code
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)
