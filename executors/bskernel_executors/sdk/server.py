"""The warm session: imports once, then forks one child per step and relays what it prints."""

from __future__ import annotations

import os
import selectors
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Literal, NoReturn

import msgspec
from bskernel_protocol import (
    PROTOCOL_VERSION,
    Cancel,
    Event,
    LogLine,
    OutputLine,
    Progress,
    Ready,
    RunStep,
    StepFinished,
    StepStarted,
    decode_command,
    encode,
    read_frame,
    write_frame,
)
from bskernel_protocol.framing import FrameError
from bskernel_protocol.layout import LOG

from bskernel_executors.sdk.child import carry_out_step, refine_result
from bskernel_executors.sdk.memory import oom_kills
from bskernel_executors.sdk.registry import Registry
from bskernel_executors.sdk.secrets import Redactor

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LONGEST_LINE = 64 * 1024
_REAP_S = 0.5
StreamName = Literal["stdout", "stderr", "progress"]


def _prctl(option: int, value: int) -> None:
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def take_protocol_channel() -> tuple[BinaryIO, BinaryIO]:
    """Keep stdin and stdout for the protocol and point fds 0 and 1 elsewhere.

    A library that prints, or a tool that reads, then never touches the channel.
    """
    source = os.fdopen(os.dup(0), "rb", buffering=0)
    sink = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return source, sink


@dataclass(kw_only=True)
class _Stream:
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
class _Running:
    """The child that carries out a step, and where what it says goes."""

    directory: str
    pid: int
    log: FileIO  # unbuffered: what a step said must be there however its server ends
    began: float
    oom_kills: int
    streams: list[_Stream] = field(default_factory=list)


class Server:
    """Serves one kernel until its end of the channel closes."""

    def __init__(self, registry: Registry, root: Path, source: BinaryIO, sink: BinaryIO) -> None:
        self._registry = registry
        self._root = root
        self._source = source
        self._sink = sink
        self._redactor = Redactor()

    def serve(self) -> None:
        """Say that we are ready, then take commands until the channel closes; no child outlives that."""
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        self._tell(Ready(protocol=PROTOCOL_VERSION, executor=self._registry.executor, version=self._registry.version))
        if self._registry.warm_up is not None:
            self._warm_up(self._registry.warm_up)
        while (message := read_frame(self._source)) is not None:
            command = decode_command(message)
            if isinstance(command, RunStep):
                running = self._start(command.directory)
                if not self._relay(running):
                    return

    def _tell(self, event: Event) -> None:
        write_frame(self._sink, encode(event))

    def _warm_up(self, function: Callable[[], None]) -> None:
        """In a child that dies with us, or when a step ends before it."""
        server = os.getpid()
        if os.fork() != 0:
            return
        try:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() == server:
                os.close(self._source.fileno())
                os.close(self._sink.fileno())
                function()
        except BaseException:  # noqa: BLE001 - a forked child must never run its parent's code
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(0)

    def _start(self, directory: str) -> _Running:
        step = self._root / directory
        pipes: list[tuple[StreamName, int, int]] = []
        for name in ("stdout", "stderr", "progress"):
            read_end, write_end = os.pipe()
            pipes.append((name, read_end, write_end))
        self._tell(StepStarted(directory=directory))
        sys.stdout.flush()
        sys.stderr.flush()
        server = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._become_child(step, [write_end for _, _, write_end in pipes], server)
        for _, _, write_end in pipes:
            os.close(write_end)
        return _Running(
            directory=directory,
            pid=pid,
            log=(step / LOG).open("wb", buffering=0),
            began=time.monotonic(),
            oom_kills=oom_kills() or 0,
            streams=[_Stream(name=name, fd=read_end) for name, read_end, _ in pipes],
        )

    def _become_child(self, step: Path, ends: list[int], server: int) -> NoReturn:
        status = 1
        try:
            os.setpgid(0, 0)
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != server:
                os._exit(1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            os.close(self._source.fileno())
            os.close(self._sink.fileno())
            os.dup2(ends[0], 1)
            os.dup2(ends[1], 2)
            # What was printed must be in the log however the step ends: in a pipe Python would keep it back.
            sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
            with os.fdopen(ends[2], "w", buffering=1, encoding="utf-8") as progress:
                tell: Callable[[str], None] = lambda text: print(" ".join(text.split()), file=progress)  # noqa: E731
                result = carry_out_step(self._registry, step, tell)
                sys.stdout.flush()
                sys.stderr.flush()
            status = 1 if result.failure else 0
        except BaseException:  # noqa: BLE001 - a forked child must never run its parent's code
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)

    def _relay(self, running: _Running) -> bool:
        """Pass on the child's lines until it ends; False when the kernel is gone."""
        pidfd = os.pidfd_open(running.pid)
        connected = True
        with selectors.DefaultSelector() as selector:
            selector.register(self._source, selectors.EVENT_READ, "command")
            selector.register(pidfd, selectors.EVENT_READ, "ended")
            for stream in running.streams:
                selector.register(stream.fd, selectors.EVENT_READ, stream)
            ended = False
            while not ended:
                events = selector.select(_REAP_S)
                _reap_strays(running.pid)
                for key, _ in events:
                    if isinstance(key.data, _Stream):
                        if not self._pass_on(running, key.data):
                            selector.unregister(key.fd)
                    elif key.data == "ended":
                        ended = True
                    elif not self._heed(running):
                        selector.unregister(self._source)
                        connected = False
        os.close(pidfd)
        exit_code, peak_mib = self._end(running)
        refine_result(self._registry, self._root / running.directory)
        if connected:
            killed = max(0, (oom_kills() or 0) - running.oom_kills)
            self._tell(
                StepFinished(directory=running.directory, exit_code=exit_code, peak_mib=peak_mib, oom_kills=killed)
            )
        return connected

    def _heed(self, running: _Running) -> bool:
        """Take a command while a step runs; False when the channel is closed."""
        try:
            message = read_frame(self._source)
        except FrameError:
            message = None
        if message is None or isinstance(decode_command(message), Cancel):
            _kill_group(running.pid)
        return message is not None

    def _pass_on(self, running: _Running, stream: _Stream) -> bool:
        lines = stream.read()
        for text in lines or ():
            self._note(running, stream.name, text)
        return lines is not None

    def _note(self, running: _Running, stream: StreamName, text: str) -> None:
        seconds = round(time.monotonic() - running.began, 3)
        text = self._redactor.text(text)
        running.log.write(msgspec.json.encode(LogLine(seconds=seconds, stream=stream, text=text)) + b"\n")
        try:
            if stream == "progress":
                self._tell(Progress(text=text))
            else:
                self._tell(OutputLine(stream=stream, text=text))
        except BrokenPipeError:
            _kill_group(running.pid)

    def _end(self, running: _Running) -> tuple[int, int]:
        """Reap the child, end whatever it left running, and take what is still in its pipes.

        Returns its exit code, and how many MiB the largest of the step's processes held.
        """
        _kill_group(running.pid)
        _, status, usage = os.wait4(running.pid, 0)
        _end_descendants()
        for stream in running.streams:
            os.set_blocking(stream.fd, False)
            try:
                while self._pass_on(running, stream):
                    pass
            except BlockingIOError:
                pass
            if stream.rest.strip():
                self._note(running, stream.name, stream.rest.decode("utf-8", "replace"))
            os.close(stream.fd)
        running.log.close()
        return os.waitstatus_to_exitcode(status), usage.ru_maxrss >> 10


def _reap_strays(child: int) -> None:
    """Reap what the child's tools have orphaned: some wait at their end until nothing of theirs is left."""
    while True:
        try:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if found is None or found.si_pid == child:
            return
        os.waitpid(found.si_pid, 0)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        # The child has not made its group yet, or is gone already.
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return


def _end_descendants() -> None:
    """End processes that left the child's group: as subreaper, we are their parent now."""
    while True:
        children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
        if not children:
            return
        for child in map(int, children):
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue
        for child in map(int, children):
            try:
                os.waitpid(child, 0)
            except ChildProcessError:
                continue
