"""The warm session: imports once, then forks a child per step and relays what it prints; several may run at once."""

from __future__ import annotations

import os
import selectors
import sys
import traceback
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

from bskernel_protocol import (
    PROTOCOL_VERSION,
    Event,
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

from bskernel_executors.sdk.child import refine_result
from bskernel_executors.sdk.huge_pages import Mover
from bskernel_executors.sdk.memory import oom_kills
from bskernel_executors.sdk.offspring import become_reaper, die_with, end_strangers
from bskernel_executors.sdk.registry import Registry
from bskernel_executors.sdk.running import Running, Spare, Stream, StreamName, fork_spare
from bskernel_executors.sdk.secrets import Redactor

# The order in which what is ready at once is heeded: a step's last lines before its end, and its end, which closes
# fds, before a command, which may open some of the same numbers.
_LINES, _END, _COMMAND = range(3)


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


class Server:
    """Serves one kernel until its end of the channel closes."""

    def __init__(self, registry: Registry, root: Path, source: BinaryIO, sink: BinaryIO) -> None:
        self._registry = registry
        self._root = root
        self._source = source
        self._sink = sink
        self._redactor = Redactor()
        self._selector = selectors.DefaultSelector()
        self._running: dict[str, Running] = {}
        self._spare: Spare | None = None
        self._mover = Mover()
        self._warm: int | None = None  # the child that warms up
        self._connected = True

    def serve(self) -> None:
        """Say that we are ready, then take commands until the channel closes; no child outlives that."""
        become_reaper()
        self._tell(Ready(protocol=PROTOCOL_VERSION, executor=self._registry.executor, version=self._registry.version))
        if self._registry.warm_up is not None:
            self._warm = self._warm_up(self._registry.warm_up)
        self._selector.register(self._source, selectors.EVENT_READ, (_COMMAND, self._heed))
        self._spare = self._fork()
        while self._connected:
            patience = self._mover.patience([running.limited for running in self._running.values()])
            ready = sorted((key.data for key, _ in self._selector.select(patience)), key=itemgetter(0))
            if not ready:
                self._use_the_quiet()
                continue
            self._mover.heard()
            for _, heed in ready:
                heed()
        for running in list(self._running.values()):
            self._end(running)
        if self._spare is not None:
            self._spare.end()

    def _use_the_quiet(self) -> None:
        """Move some memory; at last the child that waits, which has the old pages, makes way for another."""
        if self._mover.move():
            if self._spare is not None:
                self._spare.end()
            self._spare = self._fork()

    def _tell(self, event: Event) -> None:
        try:
            write_frame(self._sink, encode(event))
        except BrokenPipeError:
            self._connected = False

    def _warm_up(self, function: Callable[[], None]) -> int:
        """In a child that dies with us, and that no step waits for."""
        server = os.getpid()
        pid = os.fork()
        if pid != 0:
            return pid
        try:
            die_with(server)
            become_reaper()
            os.close(self._source.fileno())
            os.close(self._sink.fileno())
            function()
        except BaseException:  # noqa: BLE001 - a forked child must never run its parent's code
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(0)

    def _heed(self) -> None:
        """Take a command, or learn that the kernel is gone."""
        try:
            message = read_frame(self._source)
        except FrameError:
            message = None
        if message is None:
            self._connected = False
            return
        command = decode_command(message)
        if isinstance(command, RunStep):
            self._start(command.directory)
        elif command.directory in self._running:
            self._running[command.directory].cancel()

    def _start(self, directory: str) -> None:
        self._tell(StepStarted(directory=directory))
        running = self._begin(directory)
        self._running[directory] = running
        self._selector.register(running.pidfd, selectors.EVENT_READ, (_END, partial(self._end, running)))
        for stream in running.streams:
            heed = partial(self._pass_on, running, stream)
            self._selector.register(stream.fd, selectors.EVENT_READ, (_LINES, heed))
        self._spare = self._fork()

    def _begin(self, directory: str) -> Running:
        spare, self._spare = self._spare, None
        if spare is not None:
            try:
                return spare.begin(self._root, directory)
            except BrokenPipeError:  # the system has ended it, for lack of memory
                spare.end()
        return self._fork().begin(self._root, directory)

    def _fork(self) -> Spare:
        self._mover.forked()
        held = [self._source.fileno(), self._sink.fileno(), self._selector_fd()]
        held += [fd for other in self._running.values() for fd in other.fds()]
        return fork_spare(self._registry, self._root, held)

    def _selector_fd(self) -> int:
        return self._selector.fileno()

    def _pass_on(self, running: Running, stream: Stream) -> None:
        lines = stream.read()
        if lines is None:
            self._selector.unregister(stream.fd)
        for text in lines or ():
            self._say(running, stream.name, text)

    def _say(self, running: Running, stream: StreamName, text: str) -> None:
        text = self._redactor.text(text)
        running.note(stream, text)
        if stream == "progress":
            self._tell(Progress(directory=running.directory, text=text))
        else:
            self._tell(OutputLine(directory=running.directory, stream=stream, text=text))

    def _end(self, running: Running) -> None:
        """Reap the child, end whatever it left running, and take what is still in its pipes."""
        del self._running[running.directory]
        exit_code, peak_mib = running.reap()
        if self._warm is not None and os.waitpid(self._warm, os.WNOHANG)[0]:
            self._warm = None
        known = {other.pid for other in self._running.values()}
        known |= {self._warm} if self._warm is not None else set()
        known |= {self._spare.pid} if self._spare is not None else set()
        end_strangers(known)
        for name, text in running.drain():
            self._say(running, name, text)
        for fd in (running.pidfd, *(stream.fd for stream in running.streams)):
            if fd in self._selector.get_map():
                self._selector.unregister(fd)
        running.close()
        self._mover.written()
        refine_result(self._registry, self._root / running.directory)
        killed = max(0, (oom_kills() or 0) - running.oom_kills)
        self._tell(
            StepFinished(directory=running.directory, exit_code=exit_code, peak_mib=peak_mib, oom_kills=killed)
        )
