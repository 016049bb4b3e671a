"""Children of the server that run steps: forked ahead, started with a step directory, and read until they end."""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NoReturn

from bskernel_protocol import LogLine
from bskernel_protocol.plain_file import write_all

from bskernel_executors.sdk.confinement import Confinement
from bskernel_executors.sdk.hot_pages import HotPages, copy_ahead, open_pagemap, written_pages
from bskernel_executors.sdk.log_file import LogFile
from bskernel_executors.sdk.oom_counter import count_oom_kills
from bskernel_executors.sdk.process_tree import (
    be_ended_first,
    become_subreaper,
    die_with_parent,
    fork_below_reaper,
    kill_group,
)
from bskernel_executors.sdk.registry import Registry
from bskernel_executors.sdk.step_process import confine_step, find_manifest, limits_memory, run_step

_LONGEST_LINE = 64 * 1024  # bytes; a longer line is cut
_PROGRESS_S = 1.0  # how often a step whose log is full may show its progress
StreamName = Literal["stdout", "stderr", "progress"]
Line = tuple[StreamName, str]


@dataclass(kw_only=True)
class OutputPipe:
    """The read end of one of a child's pipes, read line by line."""

    name: StreamName
    fd: int
    rest: bytes = b""  # the start of a line whose end has not arrived

    def read_lines(self) -> list[str] | None:
        """Return the lines that are complete now, without empty ones; None once the pipe is closed."""
        data = os.read(self.fd, 1 << 16)
        if not data:
            return None
        *lines, self.rest = (self.rest + data).replace(b"\r", b"\n").split(b"\n")
        if len(self.rest) > _LONGEST_LINE:
            lines, self.rest = [*lines, self.rest], b""
        return [line.decode("utf-8", "replace") for line in lines if line.strip()]


@dataclass(kw_only=True)
class RunningStep:
    """A child that runs a step, and the step's log."""

    root: Path
    directory: str  # below `root`
    pid: int
    pidfd: int  # becomes readable when the child ends
    log: LogFile
    started: float  # time.monotonic(), in seconds
    oom_kills_before: int
    begun_fd: int  # becomes readable when the child has its order in hand
    view_fd: int | None  # the child's namespace of mounts, which takes as long to end as a small step does
    pages_fd: int | None  # the child's report on the pages that it wrote to; None if it is not asked
    pipes: list[OutputPipe]
    told: float = 0.0  # when the kernel last heard of progress beyond the log's limit
    cancelled: bool = False

    @functools.cached_property
    def has_memory_limit(self) -> bool:
        """Whether its manifest limits its memory."""
        return limits_memory(self.root / self.directory)

    def fds(self) -> Iterator[int]:
        """The server's file descriptors for this step, which no other child may keep open."""
        yield from (self.pidfd, self.log.fileno(), self.begun_fd)
        yield from (pipe.fd for pipe in self.pipes)
        if self.view_fd is not None:
            yield self.view_fd
        if self.pages_fd is not None:
            yield self.pages_fd

    def written_pages(self) -> bytes | None:
        """The report of the child, which has ended, on the pages that it wrote to; None if it was not asked."""
        if self.pages_fd is None:
            return None
        with contextlib.suppress(BlockingIOError):
            return os.read(self.pages_fd, 1 << 16)
        return b""

    def write_log_line(self, stream: StreamName, text: str) -> None:
        """Append a line to the step's log."""
        self.log.write(LogLine(seconds=self._seconds(), stream=stream, text=text))

    def may_tell(self, stream: StreamName) -> bool:
        """Whether the kernel hears of a line. Once the log is full, it hears of progress alone, at times."""
        if not self.log.full:
            return True
        now = time.monotonic()
        if stream != "progress" or now < self.told + _PROGRESS_S:
            return False
        self.told = now
        return True

    def _seconds(self) -> float:
        return round(time.monotonic() - self.started, 3)

    def cancel(self) -> None:
        """Kill the child. The server notices its end as it notices any other."""
        self.cancelled = True
        kill_group(self.pid)

    def has_begun(self) -> bool:
        """Whether the child has gone on with its order. One that was killed just before the order never does."""
        begun = select.poll()
        begun.register(self.begun_fd, select.POLLIN)
        return bool(begun.poll(0))

    def reap(self) -> tuple[int, int]:
        """Return the child's exit code (negative: a signal) and the peak memory of its largest process in MiB."""
        kill_group(self.pid)
        _, status, usage = os.wait4(self.pid, 0)
        return os.waitstatus_to_exitcode(status), usage.ru_maxrss >> 10

    def drain(self) -> Iterator[Line]:
        """Yield what is left in the pipes, once every process of the step has ended."""
        for pipe in self.pipes:
            os.set_blocking(pipe.fd, False)
            try:
                while (lines := pipe.read_lines()) is not None:
                    yield from ((pipe.name, text) for text in lines)
            except BlockingIOError:
                pass
            if pipe.rest.strip():
                yield pipe.name, pipe.rest.decode("utf-8", "replace")

    def close(self) -> None:
        """Close the server's file descriptors for this step."""
        for pipe in self.pipes:
            os.close(pipe.fd)
        self.log.close(self._seconds())
        os.close(self.pidfd)
        os.close(self.begun_fd)
        if self.pages_fd is not None:
            os.close(self.pages_fd)

    def end_view(self) -> None:
        """Let the child's namespace of mounts end, once nobody waits for the step."""
        if self.view_fd is not None:
            os.close(self.view_fd)


@dataclass(kw_only=True)
class PreforkedChild:
    """A child that waits for its step directory. It is forked ahead because a fork can take longer than a step."""

    pid: int
    order_fd: int  # write the step directory here
    begun_fd: int  # the child's word; that it has read its order is none, since one that is being killed may do that
    pipes: list[OutputPipe]
    pages_fd: int | None = None

    def fds(self) -> Iterator[int]:
        """The server's file descriptors for this child, which no other child may keep open."""
        yield from (self.order_fd, self.begun_fd)
        yield from (pipe.fd for pipe in self.pipes)
        if self.pages_fd is not None:
            yield self.pages_fd

    def start(self, root: Path, directory: str) -> RunningStep:
        """Let it run the step in `directory` below `root`. Raises BrokenPipeError if it has been killed."""
        log = LogFile(root / directory)
        kills = count_oom_kills() or 0
        view = self._open_view()
        try:
            os.write(self.order_fd, directory.encode())
        except BrokenPipeError:
            log.close(0.0)
            if view is not None:
                os.close(view)
            raise
        os.close(self.order_fd)
        return RunningStep(
            root=root,
            directory=directory,
            pid=self.pid,
            pidfd=os.pidfd_open(self.pid),
            log=log,
            started=time.monotonic(),
            oom_kills_before=kills,
            begun_fd=self.begun_fd,
            view_fd=view,
            pages_fd=self.pages_fd,
            pipes=self.pipes,
        )

    def _open_view(self) -> int | None:
        """Open the child's namespace of mounts; None for one that the system does not show, as to a user."""
        try:
            return os.open(f"/proc/{self.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None

    def discard(self) -> None:
        """Kill it unused."""
        kill_group(self.pid)
        os.waitpid(self.pid, 0)
        for fd in self.fds():
            os.close(fd)


def prefork_child(
    registry: Registry, root: Path, confinement: Confinement, inherited: Iterable[int], hot_pages: HotPages
) -> PreforkedChild:
    """Fork a child for a step whose directory will be below `root`. It closes the `inherited` file descriptors.

    What confines every step of the session is prepared while it waits, and pages that steps write to are copied.
    """
    pipes: list[tuple[StreamName, int, int]] = []
    for name in ("stdout", "stderr", "progress"):
        read_end, write_end = os.pipe()
        pipes.append((name, read_end, write_end))
    order_read, order_write = os.pipe()
    begun = os.eventfd(0)
    pages = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hot_pages.are_asked_for else None
    sys.stdout.flush()
    sys.stderr.flush()
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        write_ends = [write_end for _, _, write_end in pipes]
        foreign = (*inherited, order_write, *(read_end for _, read_end, _ in pipes), *(pages[:1] if pages else ()))
        report_to = pages[1] if pages else None
        _become_child(
            registry, root, confinement, order_read, begun, write_ends, server, foreign, hot_pages, report_to
        )
    for fd in (order_read, *(write_end for _, _, write_end in pipes), *(pages[1:] if pages else ())):
        os.close(fd)
    return PreforkedChild(
        pid=pid,
        order_fd=order_write,
        begun_fd=begun,
        pipes=[OutputPipe(name=name, fd=read_end) for name, read_end, _ in pipes],
        pages_fd=pages[0] if pages else None,
    )


def _report(pipe: int, text: str) -> None:
    write_all(pipe, f"{' '.join(text.split())}\n".encode())


def _has_order(order: int, wait_s: float) -> bool:
    waiting = select.poll()
    waiting.register(order, select.POLLIN)
    return bool(waiting.poll(wait_s * 1e3))


def _become_child(
    registry: Registry,
    root: Path,
    confinement: Confinement,
    order_read: int,
    begun: int,
    write_ends: list[int],
    server: int,
    foreign: Iterable[int],
    hot_pages: HotPages,
    report_pages: int | None,
) -> NoReturn:
    status = 1
    try:
        os.setpgid(0, 0)
        die_with_parent(server)
        become_subreaper()
        be_ended_first()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        for fd in foreign:
            os.close(fd)
        os.dup2(write_ends[0], 1)
        os.dup2(write_ends[1], 2)
        # Printed lines must reach the log even if the step crashes; with a pipe, Python would buffer them in blocks.
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        if registry.confines_all:
            confinement.prepare()
        copy_ahead(hot_pages.ranges(), lambda wait_s: _has_order(order_read, wait_s))
        pagemap = open_pagemap() if report_pages is not None else None
        directory = os.read(order_read, _LONGEST_LINE).decode()
        os.close(order_read)
        if not directory:
            os._exit(0)
        os.eventfd_write(begun, 1)
        os.close(begun)
        step = root / directory
        manifest = find_manifest(step)
        if manifest is not None and manifest.tools:
            fork_below_reaper()
        confine_step(registry, step, manifest, confinement)
        result = run_step(registry, step, manifest, functools.partial(_report, write_ends[2]))
        sys.stdout.flush()
        sys.stderr.flush()
        status = 1 if result.failure else 0
        if report_pages is not None and pagemap is not None:
            with contextlib.suppress(OSError):
                os.write(report_pages, written_pages(pagemap))
    except BaseException:  # noqa: BLE001 - a forked child must never return into its parent's code
        # Without the step's logger: out of memory or of disk space, importing anything can fail.
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)
