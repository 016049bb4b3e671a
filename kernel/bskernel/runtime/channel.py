"""A session's protocol: framed messages over any transport, e.g. a child's pipes or a container's streams."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import msgspec
from bskernel_protocol import (
    PROTOCOL_VERSION,
    Alive,
    Cancel,
    Command,
    Event,
    Failure,
    FailureCategory,
    FrameError,
    OutputLine,
    Progress,
    ProtocolError,
    Ready,
    RunStep,
    StepFinished,
    StepStarted,
    decode_event,
    encode,
    read_frame,
    write_frame,
)
from bskernel_protocol.frames import ByteSink, ByteSource

from bskernel.core.interfaces import SessionEnded, SessionFailed
from bskernel.core.places import lack_in
from bskernel.host.thread import Thread
from bskernel.runtime.watch import LOOK_S, LivenessWatch, Look, VitalSigns

_GRACE_S = 2.0
_CLOSE_S = 10.0  # a reader that has not ended by then waits for something that left the session
_SHOWN = 400  # bytes of invalid output that a failure shows
_CHUNK = 1 << 16  # bytes


class Transport(Protocol):
    """Carries a session's bytes, and can end the session."""

    source: ByteSource
    sink: ByteSink
    seals_inputs: bool  # True when nothing in the session can write to its inputs

    def limit_memory(self, mebibytes: int | None) -> None:
        """Limit the memory of the whole session, in MiB, if the runtime can; None removes the limit."""

    def end_facts(self) -> dict[str, Any]:
        """Why the executor's server ended: `exit_status`, `signal`, `oom_kills`, as far as known."""

    def vital_signs(self) -> VitalSigns:
        """What the system or the engine says of the server now; answers within seconds."""

    def end(self) -> None:
        """End every process of the session; `source` then reaches its end."""

    def close(self) -> None:
        """Close the streams. Nobody may be reading them."""

    def last_words(self) -> tuple[str, ...]:
        """The last lines that the executor's server wrote to stderr."""


class _Interrupted:
    """Wakes every waiting thread: the build is ending."""


class _Cancelled:
    """Wakes the thread that waits for a cancelled step."""


_ChannelEvent: TypeAlias = "Event | Failure | _Interrupted | _Cancelled"
_Events: TypeAlias = "queue.SimpleQueue[_ChannelEvent]"


class _CountedSource:
    """A source that counts what arrives, and knows whether that ends inside a message.

    It takes all that has arrived at once: a message has two parts, and messages often come together.
    """

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        self._rest = b""
        self.received = self.messages = 0
        self.torn = False

    def read(self, size: int, /) -> bytes | None:
        if not self._rest:
            arrived = self._source.read(_CHUNK)
            if not arrived:
                return arrived
            self.received += len(arrived)
            self._rest = arrived
        self.torn = True
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def take_rest(self) -> bytes:
        """What has arrived and belongs to no message yet."""
        rest, self._rest = self._rest, b""
        return rest

    def next_frame(self) -> bytes | None:
        """The next message, as `read_frame` does it."""
        frame = read_frame(self)
        self.torn = False
        self.messages += 1
        return frame


def _next(events: _Events, timeout_s: float | None) -> _ChannelEvent | None:
    try:
        return events.get(timeout=timeout_s)
    except queue.Empty:
        return None


class Channel:
    """Reads events in its own thread and passes each to the thread that waits for its step.

    So a wait can time out or be interrupted, and several steps can run at the same time. Once the executor has ended,
    or will never answer again, every running or later step ends with the same failure.
    """

    def __init__(self, transport: Transport, executor: str) -> None:
        self._transport = transport
        self._executor = executor
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._first: _Events = queue.SimpleQueue()  # events that belong to no step
        self._steps: dict[str, _Events] = {}
        self._cancelled: set[str] = set()  # cancelled steps, including ones that have not started
        self._end: Failure | _Interrupted | None = None
        self._end_expected = False
        self._ready = False
        self._source = _CountedSource(transport.source)
        self._over = threading.Event()
        self._reader = Thread(target=self._read, name=f"events of {executor}", daemon=True)
        self._reader.start()
        Thread(target=self._watch, name=f"liveness of {executor}", daemon=True).start()

    def expect_end(self) -> None:
        """The caller is about to end the transport: do not ask why it ended, unless a step runs."""
        self._end_expected = True

    def close(self) -> None:
        """Wait until the reader thread has ended; the transport must have ended."""
        self._over.set()
        self._reader.join(_CLOSE_S)

    @property
    def over(self) -> bool:
        """True once the executor has ended or the channel was interrupted."""
        return self._end is not None

    def interrupt(self) -> None:
        """End every wait for a step at once. Running steps continue until the transport ends."""
        self._finish(_Interrupted())

    def cancel(self, directory: str) -> None:
        """Cancel one step, started or not; other steps continue."""
        with self._lock:
            self._cancelled.add(directory)
            if directory in self._steps:
                self._steps[directory].put(_Cancelled())

    def _finish(self, reason: Failure | _Interrupted) -> None:
        with self._lock:
            self._end = self._end or reason
            self._over.set()
            waiting = [self._first, *self._steps.values()]
        for events in waiting:
            events.put(self._end)

    def _watch(self) -> None:
        """End the session when its server will never answer."""
        watch, seen = LivenessWatch(), -1
        while not self._over.wait(LOOK_S):
            with self._lock:
                busy, ready = bool(self._steps), self._ready
            received, messages, torn = self._source.received, self._source.messages, self._source.torn
            if ready and not busy and not torn:
                watch = LivenessWatch()  # nobody waits for anything
                continue
            signs = VitalSigns()
            if received == seen:
                # A server that says something needs no further look.
                with contextlib.suppress(Exception):  # an engine that does not answer says nothing
                    signs = self._transport.vital_signs()
            seen = received
            expects = busy and ready
            look = Look(received=received, messages=messages, torn=torn, expects_heartbeat=expects, signs=signs)
            wrong = watch.judge(look)
            if wrong is not None and not self._over.is_set():
                self._give_up(wrong)

    def _give_up(self, wrong: str) -> None:
        hint = "run the build again; if it happens again, run the step alone (`bskernel replay`)"
        self._finish(msgspec.structs.replace(self._failure("crash", wrong, ()), hint=hint))
        self._transport.end()

    def _deliver(self, event: Event) -> None:
        if isinstance(event, Alive | StepStarted):
            return  # that it arrived is all it says
        with self._lock:
            self._ready = self._ready or isinstance(event, Ready)
            events = self._first if isinstance(event, Ready) else self._steps.get(event.directory)
        # A step that nobody waits for any more may still send events.
        if events is not None:
            events.put(event)

    def _read(self) -> None:
        """Read until the end. Whatever goes wrong, nobody waits for this thread afterwards."""
        try:
            self._read_events()
        except BaseException as error:  # noqa: BLE001 - what ended the thread becomes the failure of its steps
            self._finish(self._failure("executor", f"sent what cannot be read: {type(error).__name__}: {error}"))
            self._transport.end()

    def _read_events(self) -> None:
        try:
            while (frame := self._source.next_frame()) is not None:
                self._deliver(decode_event(frame))
        except FrameError as error:
            # End it before reading the rest: it might never send more.
            self._transport.end()
            text = (error.data + self._source.take_rest() + self._read_rest()).decode("utf-8", "backslashreplace")
            lines = tuple(line for line in text.splitlines() if line.strip())
            self._finish(self._failure("executor", f"wrote invalid bytes to the protocol channel: {error}", lines))
            return
        except ProtocolError as error:
            self._finish(self._failure("executor", f"sent a message that is not in the protocol: {error}"))
            self._transport.end()
            return
        except (OSError, ValueError):
            pass
        with self._lock:
            expected = self._end_expected and not self._steps
        if expected:
            self.interrupt()
            return
        if self._over.is_set():
            return  # why it ended is known already
        facts = self._transport.end_facts()
        if facts.get("oom_kills"):
            self._finish(self._failure("out_of_memory", "was killed by the system: out of memory", (), facts))
        else:
            signal = f" ({facts['signal']})" if "signal" in facts else ""
            ended = self._failure("crash", f"ended unexpectedly{signal}", (), facts)
            lack = lack_in(ended.cause)
            if lack is not None:
                what, hint = lack
                message = f"{self._executor} ended: {what}"
                ended = msgspec.structs.replace(ended, category="environment", message=message, hint=hint)
            self._finish(ended)

    def _read_rest(self) -> bytes:
        parts: list[bytes] = []

        def read() -> None:
            with contextlib.suppress(OSError, ValueError):
                while sum(map(len, parts)) < _SHOWN and (part := self._transport.source.read(_SHOWN)):
                    parts.append(part)

        # In a thread: what left the session may keep the channel open.
        reader = Thread(target=read, daemon=True)
        reader.start()
        reader.join(_GRACE_S)
        return b"".join(parts)

    def _failure(
        self,
        category: FailureCategory,
        what: str,
        cause: tuple[str, ...] = (),
        facts: dict[str, Any] | None = None,
    ) -> Failure:
        lines = (*cause, *self._transport.last_words())
        all_facts = {**(facts or {}), "decided_by": "runtime"}
        return Failure(category=category, message=f"{self._executor} {what}", cause=lines, facts=all_facts)

    def wait_until_ready(self, timeout_s: float) -> None:
        """Wait for the executor's first message. Raises SessionFailed."""
        event = _next(self._first, timeout_s)
        if isinstance(event, Failure):
            raise SessionFailed(event)
        if event is None:
            raise SessionFailed(self._failure("timeout", f"was not ready after {timeout_s:.0f} s"))
        if not isinstance(event, Ready) or event.protocol != PROTOCOL_VERSION:
            raise SessionFailed(
                self._failure("executor", f"started with {event}, not with protocol version {PROTOCOL_VERSION}")
            )

    def _send(self, command: Command) -> None:
        # If the session is gone, the reader thread notices and finds the reason.
        with self._sending, contextlib.suppress(OSError, ValueError):
            write_frame(self._transport.sink, encode(command))

    def run(self, directory: str, timeout_s: float | None, on_event: Callable[[Event], None]) -> SessionEnded:
        """Run one step. Cancels it on timeout or request, and ends the session if the executor does not react."""
        events: _Events = queue.SimpleQueue()
        with self._lock:
            self._steps[directory] = events
            if self._end is not None:
                events.put(self._end)
            elif directory in self._cancelled:
                events.put(_Cancelled())
        try:
            self._send(RunStep(directory=directory))
            return self._wait(directory, events, timeout_s, on_event)
        finally:
            with self._lock:
                del self._steps[directory]
                self._cancelled.discard(directory)

    def _wait(
        self, directory: str, events: _Events, timeout_s: float | None, on_event: Callable[[Event], None]
    ) -> SessionEnded:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        cancelled = requested = False
        last = ""
        while True:
            remaining_s = None if deadline is None else max(0.0, deadline - time.monotonic())
            event = _next(events, remaining_s)
            if isinstance(event, _Interrupted):
                return SessionEnded(interrupted=True)
            if isinstance(event, _Cancelled) and cancelled:
                continue
            if isinstance(event, _Cancelled) or (event is None and not cancelled):
                cancelled, requested = True, event is not None
                self._send(Cancel(directory=directory))
                deadline = time.monotonic() + _GRACE_S
            elif event is None or (cancelled and isinstance(event, StepFinished | Failure)):
                if event is None:
                    self._transport.end()
                return SessionEnded(cancelled=True) if requested else SessionEnded(failure=_timeout(timeout_s, last))
            elif isinstance(event, Failure):
                return SessionEnded(failure=event, session_over=True)
            elif isinstance(event, StepFinished):
                return SessionEnded(exit_code=event.exit_code, peak_mib=event.peak_mib, oom_kills=event.oom_kills)
            else:
                last = event.text if isinstance(event, Progress | OutputLine) else last
                on_event(event)


def _timeout(timeout_s: float | None, last: str) -> Failure:
    facts = {"limit_s": timeout_s, "decided_by": "runtime"}
    return Failure(
        category="timeout",
        message=f"the step exceeded its time limit of {timeout_s:g} s",
        facts={**facts, "last_progress": last} if last else facts,
    )
