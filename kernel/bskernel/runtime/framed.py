"""A session over framed messages, whatever carries the bytes: a subprocess's pipes or a container's streams."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from bskernel_protocol import (
    PROTOCOL_VERSION,
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
    decode_event,
    encode,
    read_frame,
    write_frame,
)
from bskernel_protocol.frames import ByteSink, ByteSource

from bskernel.ports import SessionEnded, SessionFailed

_GRACE_S = 2.0
_SHOWN = 400  # bytes of garbage that a failure shows


class Carrier(Protocol):
    """What carries a session's bytes and can end it."""

    source: ByteSource
    sink: ByteSink
    seals_inputs: bool  # can nothing in the session write to inputs, however it tries?

    def limit_memory(self, mebibytes: int | None) -> None:
        """What the session may hold in all, where the runtime can limit that; None is no limit."""

    def end_facts(self) -> dict[str, Any]:
        """Why the executor's server ended of itself: `exit_status`, `signal`, `oom_kills`, as far as it is known."""

    def end(self) -> None:
        """End every process of the session; afterwards `source` is at its end."""

    def close(self) -> None:
        """Close the streams, once nobody reads them."""

    def last_words(self) -> tuple[str, ...]:
        """The last lines that the executor's server printed outside the protocol."""


class _Interrupted:
    """Wakes whoever waits for a step: the build is to end."""


class _Cancelled:
    """Wakes whoever waits for a step that nobody wants any more."""


_Said: TypeAlias = "Event | Failure | _Interrupted | _Cancelled"
_Events: TypeAlias = "queue.SimpleQueue[_Said]"


def _next(events: _Events, timeout_s: float | None) -> _Said | None:
    try:
        return events.get(timeout=timeout_s)
    except queue.Empty:
        return None


class Channel:
    """Reads events in a thread of its own and hands each to whoever waits for its step.

    So waiting can time out and be interrupted, and steps run beside one another. Once the executor has ended, every
    step that runs or is asked for ends with what it ended of.
    """

    def __init__(self, carrier: Carrier, executor: str) -> None:
        self._carrier = carrier
        self._executor = executor
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._first: _Events = queue.SimpleQueue()  # what comes before any step, and belongs to none
        self._steps: dict[str, _Events] = {}
        self._unwanted: set[str] = set()  # steps that are to end, also such as have not begun
        self._over: Failure | _Interrupted | None = None
        self._to_end = False
        self._reader = threading.Thread(target=self._read, name=f"events of {executor}", daemon=True)
        self._reader.start()

    def expect_end(self) -> None:
        """The carrier is about to be ended: of what need not be found out, unless a step runs."""
        self._to_end = True

    def close(self) -> None:
        """Wait until the reader has seen the end; the carrier must have ended."""
        self._reader.join()

    @property
    def over(self) -> bool:
        """Has the executor ended, or was this interrupted?"""
        return self._over is not None

    def interrupt(self) -> None:
        """End every wait for a step, at once; what runs goes on until the carrier ends."""
        self._finish(_Interrupted())

    def cancel(self, directory: str) -> None:
        """End one step, which may not have begun; the others go on."""
        with self._lock:
            self._unwanted.add(directory)
            if directory in self._steps:
                self._steps[directory].put(_Cancelled())

    def _finish(self, why: Failure | _Interrupted) -> None:
        with self._lock:
            self._over = self._over or why
            waiting = [self._first, *self._steps.values()]
        for events in waiting:
            events.put(self._over)

    def _deliver(self, event: Event) -> None:
        with self._lock:
            events = self._first if isinstance(event, Ready) else self._steps.get(event.directory)
        # A step that nobody waits for any more may still speak.
        if events is not None:
            events.put(event)

    def _read(self) -> None:
        try:
            while (frame := read_frame(self._carrier.source)) is not None:
                self._deliver(decode_event(frame))
        except FrameError as error:
            # What more it says can only be read when it has ended: more may never come.
            self._carrier.end()
            text = (error.data + self._rest()).decode("utf-8", "backslashreplace")
            lines = tuple(line for line in text.splitlines() if line.strip())
            self._finish(self._failure("executor", f"wrote garbage on the protocol channel: {error}", lines))
            return
        except ProtocolError as error:
            self._finish(self._failure("executor", f"sent what the protocol does not know: {error}"))
            return
        except (OSError, ValueError):
            pass
        with self._lock:
            unasked = self._to_end and not self._steps
        if unasked:
            self.interrupt()
            return
        facts = self._carrier.end_facts()
        if facts.get("oom_kills"):
            self._finish(self._failure("out_of_memory", "was ended by the system: no memory was left", (), facts))
        else:
            how = f" ({facts['signal']})" if "signal" in facts else ""
            self._finish(self._failure("crash", f"ended unexpectedly{how}", (), facts))

    def _rest(self) -> bytes:
        data = b""
        with contextlib.suppress(OSError, ValueError):
            while len(data) < _SHOWN and (part := self._carrier.source.read(_SHOWN)):
                data += part
        return data

    def _failure(
        self,
        category: FailureCategory,
        what: str,
        cause: tuple[str, ...] = (),
        facts: dict[str, Any] | None = None,
    ) -> Failure:
        lines = (*cause, *self._carrier.last_words())
        known = {**(facts or {}), "decided_by": "runtime"}
        return Failure(category=category, message=f"{self._executor} {what}", cause=lines, facts=known)

    def wait_until_ready(self, timeout_s: float) -> None:
        """Wait for the executor's first message. Raises SessionFailed."""
        event = _next(self._first, timeout_s)
        if isinstance(event, Failure):
            raise SessionFailed(event)
        if event is None:
            raise SessionFailed(self._failure("timeout", f"was not ready after {timeout_s:.0f} s"))
        if not isinstance(event, Ready) or event.protocol != PROTOCOL_VERSION:
            raise SessionFailed(self._failure("executor", f"began with {event}, not with version {PROTOCOL_VERSION}"))

    def _send(self, command: Command) -> None:
        # A session that is gone is noticed by the reader, which says why.
        with self._sending, contextlib.suppress(OSError, ValueError):
            write_frame(self._carrier.sink, encode(command))

    def run(self, directory: str, timeout_s: float | None, on_event: Callable[[Event], None]) -> SessionEnded:
        """Carry out one step; one that times out, or is unwanted, is cancelled, and its session ended if need be."""
        events: _Events = queue.SimpleQueue()
        with self._lock:
            self._steps[directory] = events
            if self._over is not None:
                events.put(self._over)
            elif directory in self._unwanted:
                events.put(_Cancelled())
        try:
            self._send(RunStep(directory=directory))
            return self._wait(directory, events, timeout_s, on_event)
        finally:
            with self._lock:
                del self._steps[directory]
                self._unwanted.discard(directory)

    def _wait(
        self, directory: str, events: _Events, timeout_s: float | None, on_event: Callable[[Event], None]
    ) -> SessionEnded:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        cancelled = unwanted = False
        last = ""
        while True:
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            event = _next(events, left)
            if isinstance(event, _Interrupted):
                return SessionEnded(interrupted=True)
            if isinstance(event, _Cancelled) and cancelled:
                continue
            if isinstance(event, _Cancelled) or (event is None and not cancelled):
                cancelled, unwanted = True, event is not None
                self._send(Cancel(directory=directory))
                deadline = time.monotonic() + _GRACE_S
            elif event is None or (cancelled and isinstance(event, StepFinished | Failure)):
                if event is None:
                    self._carrier.end()
                return SessionEnded(cancelled=True) if unwanted else SessionEnded(failure=_timeout(timeout_s, last))
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
        message=f"the step took longer than its {timeout_s:g} s",
        facts={**facts, "last_progress": last} if last else facts,
    )
