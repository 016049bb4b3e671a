"""Children of the server that run steps: forked ahead, started with a step directory, and read until it ends.

A child whose step has a slot waits there for its next one, if it is as it was before (`process_state`).
"""

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
from typing import Literal, NamedTuple, NoReturn

from bskernel_protocol import LogLine, StepManifest
from bskernel_protocol.plain_file import write_all

from bskernel_executors.sdk.confinement import Confinement
from bskernel_executors.sdk.hot_pages import HotPages, copy_ahead, open_pagemap, written_pages
from bskernel_executors.sdk.log_file import LogFile
from bskernel_executors.sdk.oom_counter import count_oom_kills
from bskernel_executors.sdk.process_state import PeakMemory, ProcessState
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
class StepChild:
    """A child that waits for a step directory, or runs the step. It is forked ahead because a fork takes long."""

    pid: int
    pidfd: int  # becomes readable when the child ends
    order_fd: int  # write the step directory here
    begun_fd: int  # the child's word; that it has read its order is none, since one that is being killed may do that
    ended_fd: int  # what a child says that has ended its step and waits for another
    pipes: list[OutputPipe]
    pages_fd: int | None = None  # the child's report on the pages that it wrote to; None if it is not asked
    view_fd: int | None = None  # the child's namespace of mounts, which takes as long to end as a small step does

    def fds(self) -> Iterator[int]:
        """The server's file descriptors for this child, which no other child may keep open."""
        yield from (self.pidfd, self.order_fd, self.begun_fd, self.ended_fd)
        yield from (pipe.fd for pipe in self.pipes)
        yield from (fd for fd in (self.pages_fd, self.view_fd) if fd is not None)

    def start(self, directory: str, folder: int) -> RunningStep:
        """Let it run the step in `directory`, which is open as `folder`. Raises BrokenPipeError if it was killed."""
        log = LogFile(_path_of(folder))
        kills = count_oom_kills() or 0
        if self.view_fd is None:
            self.view_fd = self._open_view()
        try:
            os.write(self.order_fd, directory.encode())
        except BrokenPipeError:
            log.close(0.0)
            raise
        return RunningStep(
            child=self,
            directory=directory,
            folder_fd=folder,
            log=log,
            started=time.monotonic(),
            oom_kills_before=kills,
        )

    def _open_view(self) -> int | None:
        """Open the child's namespace of mounts; None for one that the system does not show, as to a user."""
        try:
            return os.open(f"/proc/{self.pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None

    def has_begun(self) -> bool:
        """Whether the child has gone on with its order. One that was killed just before the order never does."""
        begun = select.poll()
        begun.register(self.begun_fd, select.POLLIN)
        return bool(begun.poll(0))

    def take_word(self) -> str | None:
        """Hear of the end of a step whose child waits for another: the peak of its memory in MiB, or "-".

        None if the child says nothing, but ends.
        """
        said = os.read(self.ended_fd, _LONGEST_LINE).decode("ascii", "replace")
        if not said:
            return None
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self.begun_fd)
        return said

    def written_pages(self) -> bytes | None:
        """The report of a child, whose step has ended, on the pages that it wrote to; None if it was not asked."""
        if self.pages_fd is None:
            return None
        with contextlib.suppress(BlockingIOError):
            return os.read(self.pages_fd, 1 << 16)
        return b""

    def forget_pages(self) -> None:
        """Ask for no report any more: the first step has made it."""
        if self.pages_fd is not None:
            os.close(self.pages_fd)
            self.pages_fd = None

    def reap(self) -> tuple[int, int]:
        """Return the child's exit code (negative: a signal) and the peak memory of its largest process in MiB."""
        kill_group(self.pid)
        _, status, usage = os.wait4(self.pid, 0)
        return os.waitstatus_to_exitcode(status), usage.ru_maxrss >> 10

    def close(self) -> None:
        """Close the server's file descriptors for it. Its namespace of mounts may end later: `end_view`."""
        for fd in self.fds():
            if fd != self.view_fd:
                os.close(fd)

    def end_view(self) -> None:
        """Let the child's namespace of mounts end, once nobody waits for the step."""
        if self.view_fd is not None:
            os.close(self.view_fd)

    def discard(self) -> None:
        """Kill it while it waits."""
        kill_group(self.pid)
        os.waitpid(self.pid, 0)
        self.close()
        self.end_view()


@dataclass(kw_only=True)
class RunningStep:
    """A step that a child runs, and the step's log."""

    child: StepChild
    directory: str  # below the folder of all steps
    folder_fd: int  # the step directory itself
    log: LogFile
    started: float  # time.monotonic(), in seconds
    oom_kills_before: int
    told: float = 0.0  # when the kernel last heard of progress beyond the log's limit
    cancelled: bool = False

    @functools.cached_property
    def has_memory_limit(self) -> bool:
        """Whether its manifest limits its memory."""
        return limits_memory(self.folder)

    @property
    def slot(self) -> str | None:
        """Its slot, if its process may run other steps, too."""
        return slot_of(self.directory)

    @property
    def folder(self) -> Path:
        """The step directory, whatever has its path now."""
        return _path_of(self.folder_fd)

    def fds(self) -> Iterator[int]:
        """The server's file descriptors for this step, which no other child may keep open."""
        yield from (self.folder_fd, self.log.fileno())
        yield from self.child.fds()

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
        kill_group(self.child.pid)

    def drain(self) -> Iterator[Line]:
        """Yield what is left in the pipes, once nothing of the step writes to them."""
        for pipe in self.child.pipes:
            os.set_blocking(pipe.fd, False)
            try:
                while (lines := pipe.read_lines()) is not None:
                    yield from ((pipe.name, text) for text in lines)
            except BlockingIOError:
                pass
            rest, pipe.rest = pipe.rest, b""
            if rest.strip():
                yield pipe.name, rest.decode("utf-8", "replace")

    def close_log(self) -> None:
        """Close the step's log."""
        self.log.close(self._seconds())

    def close_folder(self) -> None:
        """Close the step directory: the server needs nothing of it any more."""
        os.close(self.folder_fd)


def open_folder(path: Path) -> int:
    """Open a step directory, which may be no link: the process of a slot can put one in its place. Raises OSError."""
    return os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)


def _path_of(folder: int) -> Path:
    return Path(f"/proc/self/fd/{folder}")


def slot_of(directory: str) -> str | None:
    """The slot of a step's directory, A/B of A/B/NAME: one process may run several steps in it. None for others."""
    slot, _, _ = directory.rpartition("/")
    return slot if "/" in slot else None


def prefork_child(
    registry: Registry, root: Path, confinement: Confinement, inherited: Iterable[int], hot_pages: HotPages
) -> StepChild:
    """Fork a child for a step whose directory will be below `root`. It closes the `inherited` file descriptors.

    What confines every step of the session is prepared while it waits, and pages that steps write to are copied.
    """
    pipes: list[tuple[StreamName, int, int]] = []
    for name in ("stdout", "stderr", "progress"):
        read_end, write_end = os.pipe()
        pipes.append((name, read_end, write_end))
    order_read, order_write = os.pipe()
    begun = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
    ended_read, ended_write = os.pipe()
    pages = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hot_pages.are_asked_for else None
    sys.stdout.flush()
    sys.stderr.flush()
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        write_ends = [write_end for _, _, write_end in pipes]
        read_ends = (read_end for _, read_end, _ in pipes)
        foreign = (*inherited, order_write, ended_read, *read_ends, *(pages[:1] if pages else ()))
        ends = _ChildEnds(
            order=order_read, begun=begun, ended=ended_write, output=write_ends, pages=pages[1] if pages else None
        )
        _become_child(registry, root, confinement, ends, server, foreign, hot_pages)
    for fd in (order_read, ended_write, *(write_end for _, _, write_end in pipes), *(pages[1:] if pages else ())):
        os.close(fd)
    return StepChild(
        pid=pid,
        pidfd=os.pidfd_open(pid),
        order_fd=order_write,
        begun_fd=begun,
        ended_fd=ended_read,
        pipes=[OutputPipe(name=name, fd=read_end) for name, read_end, _ in pipes],
        pages_fd=pages[0] if pages else None,
    )


class _ChildEnds(NamedTuple):
    """The child's ends of what it shares with its server."""

    order: int
    begun: int
    ended: int
    output: list[int]  # stdout, stderr, progress
    pages: int | None


def _report(pipe: int, text: str) -> None:
    write_all(pipe, f"{' '.join(text.split())}\n".encode())


def _has_order(order: int, wait_s: float) -> bool:
    waiting = select.poll()
    waiting.register(order, select.POLLIN)
    return bool(waiting.poll(wait_s * 1e3))


def _may_share(registry: Registry, manifest: StepManifest | None) -> bool:
    """Whether a process may run this step and others."""
    if manifest is None or manifest.tools or manifest.memory_mib is not None:
        return False
    return registry.reuses_processes and registry.is_confined(manifest.entry)


def _become_child(
    registry: Registry,
    root: Path,
    confinement: Confinement,
    ends: _ChildEnds,
    server: int,
    foreign: Iterable[int],
    hot_pages: HotPages,
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
        os.dup2(ends.output[0], 1)
        os.dup2(ends.output[1], 2)
        # Printed lines must reach the log even if the step crashes; with a pipe, Python would buffer them in blocks.
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
        peak = PeakMemory()
        if registry.confines_all:
            confinement.prepare()
        copy_ahead(hot_pages.ranges(), lambda wait_s: _has_order(ends.order, wait_s))
        pagemap = open_pagemap() if ends.pages is not None else None
        state: ProcessState | None = None
        while directory := os.read(ends.order, _LONGEST_LINE).decode():
            step = root / directory
            manifest = find_manifest(step)
            slot = root / name if _may_share(registry, manifest) and (name := slot_of(directory)) else None
            if state is not None and slot is None:
                os._exit(0)  # another process runs it: this one may do less, or would run no step afterwards
            os.eventfd_write(ends.begun, 1)
            if manifest is not None and manifest.tools:
                fork_below_reaper()
            if state is None:
                is_held = confine_step(registry, step, manifest, confinement, slot)
                state = ProcessState() if slot is not None and is_held else None
            report = functools.partial(_report, ends.output[2])
            result = run_step(registry, step, manifest, report, slot)
            sys.stdout.flush()
            sys.stderr.flush()
            if ends.pages is not None and pagemap is not None:
                with contextlib.suppress(OSError):
                    os.write(ends.pages, written_pages(pagemap))
                pagemap = None  # only the first step's; its file stays open
            status = 1 if result.failure else 0
            if status or slot is None or state is None or not state.restore():
                break
            os.write(ends.ended, peak.take())
    except BaseException:  # noqa: BLE001 - a forked child must never return into its parent's code
        # Without the step's logger: out of memory or of disk space, importing anything can fail.
        status = 1
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)
