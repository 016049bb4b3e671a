"""The server of a session: it has imported the executor, forks children that run steps, and relays what they say."""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO

from bskernel_protocol import (
    PROTOCOL_VERSION,
    Alive,
    Event,
    OutputLine,
    Progress,
    ProtocolError,
    Ready,
    RunStep,
    StepFinished,
    StepStarted,
    decode_command,
    encode,
    read_frame,
    write_frame,
)
from bskernel_protocol.frames import FrameError

from bskernel_executors.sdk.confinement import Confinement, protect_server
from bskernel_executors.sdk.heartbeat import Heartbeat
from bskernel_executors.sdk.hot_pages import HotPages
from bskernel_executors.sdk.huge_pages import HugePageMover
from bskernel_executors.sdk.oom_counter import count_oom_kills
from bskernel_executors.sdk.prefork import (
    OutputPipe,
    RunningStep,
    StepChild,
    StreamName,
    open_folder,
    prefork_child,
    slot_of,
)
from bskernel_executors.sdk.process_tree import become_subreaper, die_with_parent, kill_orphans
from bskernel_executors.sdk.registry import Registry
from bskernel_executors.sdk.secrets import SecretFilter
from bskernel_executors.sdk.step_log import import_structlog, make_logger
from bskernel_executors.sdk.step_process import refine_result

# Priorities of what is ready at the same time: a step's last lines come before its end; its end, which closes file
# descriptors, comes before a command, which may open the same numbers again.
_LINES, _END, _COMMAND = range(3)
# How long news that only a reader of them waits for may wait for other news. Each message that goes alone wakes the
# kernel, in a container the engine too, which takes them as long as a small step takes for what it does.
_NEWS_S = 0.1
# After each fork the server copies every page that it writes to: one that needs many children forks several in a row.
# One that has needed few is likely to end before it uses them.
_MOST_WAITING, _BEGUN_FOR_EACH = 4, 8
# How long a process waits in its slot for another step. In a build the next one comes within milliseconds.
_IDLE_S = 2.0
_DIGITS = 12  # more than any amount of memory in MiB has


def take_protocol_channel() -> tuple[BinaryIO, BinaryIO]:
    """Reserve stdin and stdout for the protocol: return copies of them, and redirect descriptors 0 and 1.

    Then a library that prints, or a tool that reads, does not touch the channel.
    """
    source = os.fdopen(os.dup(0), "rb", buffering=0)
    sink = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return source, sink


class Server:
    """Serves one kernel until the kernel's end of the channel closes. It runs several steps at once."""

    def __init__(
        self, registry: Registry, root: Path, source: BinaryIO, sink: BinaryIO, heartbeat: Heartbeat | None = None
    ) -> None:
        self._registry = registry
        self._root = root
        self._source = source
        self._sink = sink
        self._secrets = SecretFilter()
        self._selector = selectors.DefaultSelector()
        self._running: dict[str, RunningStep] = {}  # by step directory
        self._waiting: list[StepChild] = []  # forked ahead
        self._idle: dict[str, tuple[StepChild, float]] = {}  # by slot; when it ends, by time.monotonic()
        self._begun = 0  # children
        self._mover = HugePageMover()
        self._hot_pages = HotPages()
        self._warm_up_pid: int | None = None
        self._connected = True
        self._news_due: float | None = None  # time.monotonic() at which what is written is sent, at the latest
        self._heartbeat = heartbeat or Heartbeat(None)
        self._confinement = Confinement(os.environ, root)

    def serve(self) -> None:
        """Send Ready, then handle commands until the channel closes, and end all children."""
        os.umask(0o077)  # what a step leaves is nobody else's, whatever the modes that it asks for
        become_subreaper()
        protect_server()
        self._send(Ready(protocol=PROTOCOL_VERSION, executor=self._registry.executor, version=self._registry.version))
        if self._registry.warm_up is not None:
            self._warm_up_pid = self._warm_up(self._registry.warm_up)
        self._selector.register(self._source, selectors.EVENT_READ, (_COMMAND, self._handle_command))
        self._fork_ahead()
        while self._connected:
            heeds = self._mover.heeds_limits
            timeout = self._mover.idle_timeout([heeds and step.has_memory_limit for step in self._running.values()])
            beat = self._heartbeat.timeout() if self._running else None
            news = None if self._news_due is None else max(0.0, self._news_due - time.monotonic())
            ends = max(0.0, min(end for _, end in self._idle.values()) - time.monotonic()) if self._idle else None
            first = min((wait for wait in (timeout, beat, news, ends) if wait is not None), default=None)
            ready = sorted((key.data for key, _ in self._selector.select(first)), key=itemgetter(0))
            if self._news_due is not None and time.monotonic() >= self._news_due:
                self._send_news()
            if self._running and self._heartbeat.due():
                self._beat()
            self._end_idle(before=time.monotonic())
            if not ready:
                if timeout is not None and timeout == first:
                    self._use_idle_time()
                continue
            self._mover.note_message()
            for _, handle in ready:
                handle()
        for step in list(self._running.values()):
            self._finish(step)
        self._discard_waiting()
        self._end_idle()

    def _beat(self) -> None:
        """Say that the server reacts, and end steps that were stopped: they would never end by themselves."""
        self._send(Alive())
        for step in list(self._running.values()):
            if self._heartbeat.note_stopped(step.child.pid):
                text = f"a signal stopped the step's process {self._heartbeat.stopped_s:.0f} s ago: ending it"
                self._relay_line(step, "stderr", text)
                step.cancel()

    def _use_idle_time(self) -> None:
        """Prepare what children inherit; finally replace those that wait, which have the old memory pages."""
        if not self._running:  # its import takes longer than many a step, whose end would wait for it
            import_structlog()
        if self._mover.move_block():
            self._discard_waiting()
            self._fork_ahead()

    def _send(self, event: Event) -> None:
        """Send an event, and the news before it."""
        self._note(event)
        self._send_news()

    def _note(self, event: Event) -> None:
        """Send an event with the next one that is sent, or soon."""
        with self._while_connected():
            write_frame(self._sink, encode(event), flush=False)
        if self._news_due is None:
            self._news_due = time.monotonic() + _NEWS_S

    def _send_news(self) -> None:
        self._news_due = None
        with self._while_connected():
            self._sink.flush()

    @contextlib.contextmanager
    def _while_connected(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            self._connected = False

    def _warm_up(self, function: Callable[[], None]) -> int:
        """Run it in a child that dies with the server. No step waits for it."""
        server = os.getpid()
        pid = os.fork()
        if pid != 0:
            return pid
        try:
            die_with_parent(server)
            become_subreaper()
            os.close(self._source.fileno())
            os.close(self._sink.fileno())
            function()
        # A forked child must never return into its parent's code, whatever is raised.
        except BaseException:
            log = make_logger(executor=f"{self._registry.executor}@{self._registry.version}")
            log.exception("warm-up failed; steps run without it")
        finally:
            os._exit(0)

    def _handle_command(self) -> None:
        """Handle a command, or notice that the kernel is gone."""
        try:
            message = read_frame(self._source)
        except FrameError:
            message = None
        if message is None:
            self._connected = False
            return
        try:
            command = decode_command(message)
        except ProtocolError as error:
            print(f"the kernel sent a message that is not in the protocol: {error}", file=sys.stderr)
            self._connected = False
            return
        if isinstance(command, RunStep):
            self._start(command.directory)
        elif command.directory in self._running:
            self._running[command.directory].cancel()

    def _start(self, directory: str) -> None:
        # The step begins before the kernel hears of it, and the server reads nothing of it before that.
        try:
            folder = open_folder(self._root / directory)
        except (FileNotFoundError, NotADirectoryError) as error:
            print(f"cannot start the step in {directory}: {error}", file=sys.stderr)
            self._send(StepFinished(directory=directory, exit_code=1))
            return
        step = self._start_child(directory, folder)
        self._note(StepStarted(directory=directory))
        self._watch(step)
        self._fork_ahead()

    def _watch(self, step: RunningStep) -> None:
        child = step.child
        self._running[step.directory] = step
        self._selector.register(child.pidfd, selectors.EVENT_READ, (_END, partial(self._finish, step)))
        if step.slot is not None:
            self._selector.register(child.ended_fd, selectors.EVENT_READ, (_END, partial(self._end_step, step)))
        for pipe in child.pipes:
            handle = partial(self._relay, step, pipe)
            self._selector.register(pipe.fd, selectors.EVENT_READ, (_LINES, handle))

    def _unwatch(self, child: StepChild) -> None:
        for fd in (child.pidfd, child.ended_fd, *(pipe.fd for pipe in child.pipes)):
            if fd in self._selector.get_map():
                self._selector.unregister(fd)

    def _start_child(self, directory: str, folder: int) -> RunningStep:
        slot = slot_of(directory)
        child: StepChild | None = None
        if slot in self._idle:
            child, _ = self._idle.pop(slot)
        else:
            self._begun += 1
            child = self._waiting.pop(0) if self._waiting else None
        if child is not None:
            try:
                return child.start(directory, folder)
            except BrokenPipeError:  # the system has killed it, for lack of memory
                child.discard()
        return self._fork().start(directory, folder)

    def _end_idle(self, before: float = math.inf) -> None:
        """End processes that no step has come for."""
        for slot in [slot for slot, (_, end) in self._idle.items() if end <= before]:
            self._idle.pop(slot)[0].discard()

    def _fork_ahead(self) -> None:
        """Have children wait for their steps. One that takes the last of them has others forked beside its step."""
        if not self._waiting:
            for _ in range(min(_MOST_WAITING, 1 + self._begun // _BEGUN_FOR_EACH)):
                self._waiting.append(self._fork())

    def _discard_waiting(self) -> None:
        while self._waiting:
            self._waiting.pop().discard()

    def _fork(self) -> StepChild:
        self._mover.note_fork()
        inherited = [self._source.fileno(), self._sink.fileno(), self._selector_fd()]
        inherited += [fd for step in self._running.values() for fd in step.fds()]
        inherited += [fd for child in self._waiting for fd in child.fds()]
        inherited += [fd for child, _ in self._idle.values() for fd in child.fds()]
        return prefork_child(self._registry, self._root, self._confinement, inherited, self._hot_pages)

    def _selector_fd(self) -> int:
        return self._selector.fileno()

    def _relay(self, step: RunningStep, pipe: OutputPipe) -> None:
        lines = pipe.read_lines()
        if lines is None:
            self._selector.unregister(pipe.fd)
        for text in lines or ():
            self._relay_line(step, pipe.name, text)

    def _relay_line(self, step: RunningStep, stream: StreamName, text: str) -> None:
        text = self._secrets.redact(text)
        step.write_log_line(stream, text)
        if not step.may_tell(stream):
            return
        if stream == "progress":
            self._note(Progress(directory=step.directory, text=text))
        else:
            self._note(OutputLine(directory=step.directory, stream=stream, text=text))

    def _end_step(self, step: RunningStep) -> None:
        """Take the word of a step's process that the step has ended, and let it wait for another."""
        child = step.child
        if self._running.get(step.directory) is not step:
            return  # its process has ended, too, which was handled first
        word = child.take_word()
        if word is None or step.cancelled or step.slot is None:
            if child.ended_fd in self._selector.get_map():
                self._selector.unregister(child.ended_fd)
            return  # the end of its process says the rest
        del self._running[step.directory]
        self._relay_rest(step)
        self._unwatch(child)
        kills = self._count_kills(step)
        self._note_pages(child)
        child.forget_pages()
        step.close_log()
        step.close_folder()
        self._mover.note_write()
        peak_mib = int(word) if word.isdecimal() and len(word) < _DIGITS else None
        self._send(StepFinished(directory=step.directory, exit_code=0, peak_mib=peak_mib, oom_kills=kills))
        self._idle[step.slot] = (child, time.monotonic() + _IDLE_S)

    def _finish(self, step: RunningStep) -> None:
        """Reap the child, kill whatever it left running, and relay what is left in its pipes."""
        if self._running.get(step.directory) is not step:
            return  # it has ended, and its process, which waited, just after it
        del self._running[step.directory]
        child = step.child
        exit_code, peak_mib = child.reap()
        if self._warm_up_pid is not None and os.waitpid(self._warm_up_pid, os.WNOHANG)[0]:
            self._warm_up_pid = None
        known = {other.child.pid for other in self._running.values()}
        known |= {self._warm_up_pid} if self._warm_up_pid is not None else set()
        known |= {waiting.pid for waiting in self._waiting}
        known |= {idle.pid for idle, _ in self._idle.values()}
        kill_orphans(known)
        self._relay_rest(step)
        self._unwatch(child)
        kills = self._count_kills(step)
        self._note_pages(child)
        run_again = self._connected and not child.has_begun() and not step.cancelled
        step.close_log()
        child.close()
        if run_again:
            # Forked now, it cannot have been killed while it waited.
            self._watch(self._fork().start(step.directory, step.folder_fd))
        else:
            self._mover.note_write()
            if exit_code:  # a step that has not failed exits with 0
                refine_result(self._registry, step.folder)
            self._send(
                StepFinished(directory=step.directory, exit_code=exit_code, peak_mib=peak_mib, oom_kills=kills)
            )
            step.close_folder()
        child.end_view()

    def _relay_rest(self, step: RunningStep) -> None:
        for stream, text in step.drain():
            self._relay_line(step, stream, text)

    def _count_kills(self, step: RunningStep) -> int:
        kills = max(0, (count_oom_kills() or 0) - step.oom_kills_before)
        if kills:
            # It may have gone on without them.
            self._relay_line(step, "stderr", f"the system ended {kills} process(es), for lack of memory")
        return kills

    def _note_pages(self, child: StepChild) -> None:
        if (pages := child.written_pages()) is not None:
            self._hot_pages.note(pages)
