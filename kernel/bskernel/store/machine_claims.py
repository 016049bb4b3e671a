"""Claims on actions among the machines of a shared store: who runs an action says so there, and others wait."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import msgspec

from bskernel.host.thread import Thread
from bskernel.store.bounded_map import bounded_call
from bskernel.store.remote import RemoteStore

T = TypeVar("T")
_IDLE_S = 5.0  # how long the thread stays without a claim
_MOST = 3  # failures of the store after which it is left alone


class ClaimTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. What is done about claims of others is measured on the own clock alone."""

    first: float = 2.0  # a step that has run for so long is claimed; shorter ones cost no request
    renewed: float = 15.0  # how often a claim is written again
    expired: float = 60.0  # a claim that nobody has written for so long is nobody's
    old: float = 600.0  # so is one that says it is that old: clocks differ by less
    answer: float = 5.0  # the time limit of a request


class MachineClaim(msgspec.Struct, frozen=True, kw_only=True):
    """What a claim in the store says."""

    owner: str  # for people
    nonce: str  # tells apart claims of one owner
    written: float  # seconds since the epoch, by the owner's clock
    count: int = 0  # how often it was written


class _Announced(msgspec.Struct, eq=False, kw_only=True):
    taken: Callable[[], None] | None  # None once nobody wants to hear of it
    due: float  # when something is to be done about it, by the monotonic clock
    busy: bool = False  # the store is being asked
    held: bool = False  # the claim is in the store
    over: bool = False  # it is to be removed
    count: int = 0


class MachineClaims:
    """Claims of one process. A claim only saves work: whoever ends first, the results are equal.

    So nothing here fails a build, and one thread talks to the store, for which no step waits.
    """

    def __init__(self, remote: RemoteStore, is_open: Callable[[], bool], times: ClaimTimes = ClaimTimes()) -> None:  # noqa: B008 - frozen
        """`is_open` tells whether the store may be written to now."""
        self._remote = remote
        self._is_open = is_open
        self._times = times
        self._owner = f"{socket.gethostname()}, process {os.getpid()}"
        self._nonce = os.urandom(8).hex()
        self._changed = threading.Condition()  # guards what follows
        self._announced: dict[str, _Announced] = {}  # by key
        self._looks = 0.0  # when the thread looks at them next, by the monotonic clock
        self._thread: threading.Thread | None = None
        self._closed = False
        self._failures = 0
        self._seen: dict[str, tuple[bytes | None, float]] = {}  # a claim of another, and since when it is so

    @contextlib.contextmanager
    def announced(self, key: str, taken: Callable[[], None]) -> Iterator[None]:
        """Claim the action once the context has lasted for a while.

        Calls `taken`, in another thread, if another machine was first. The claim outlasts the context: `release` ends
        it.
        """
        if self._is_off:
            yield
            return
        announced = _Announced(taken=taken, due=time.monotonic() + self._times.first)
        with self._changed:
            self._announced[key] = announced
            self._see_to(announced.due)
        try:
            yield
        finally:
            with self._changed:
                announced.taken = None
                if not announced.held and not announced.busy:
                    self._drop(key, announced)

    def release(self, key: str) -> None:
        """Remove the claim, if there is one, in the background."""
        with self._changed:
            if (announced := self._announced.get(key)) is not None:
                announced.over, announced.due = True, 0.0
                self._see_to(announced.due)

    def claimant(self, key: str) -> str | None:
        """The machine that runs the action; None when nobody does, or the store does not say."""
        if self._is_off:
            return None
        try:
            data = self._limited(lambda: self._remote.claim(key))
        except Exception:  # noqa: BLE001 - libraries behind fsspec raise what they like
            return None
        if data is None or self._is_stale(key, data):
            return None
        found = _decoded(data)
        return found.owner if found is not None else "another machine"

    def close(self) -> None:
        """Remove all claims, within a time limit."""
        with self._changed:
            self._closed = True
            for announced in self._announced.values():
                announced.over, announced.due = True, 0.0
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join(2 * self._times.answer)

    @property
    def _is_off(self) -> bool:
        return self._closed or self._failures >= _MOST or not self._is_open()

    def _see_to(self, due: float) -> None:
        """Have the thread look by then. To wake it takes long, and most steps end before their claims are due."""
        if self._thread is None:
            self._thread = Thread(target=self._work, name="bskernel-claims", daemon=True)
            self._thread.start()
        elif due < self._looks:
            self._changed.notify_all()

    def _work(self) -> None:
        idle_until = time.monotonic() + _IDLE_S
        while True:
            with self._changed:
                key = min(self._announced, key=lambda key: self._announced[key].due, default=None)
                if key is None and (self._closed or time.monotonic() >= idle_until):
                    self._thread = None
                    return
                due = self._looks = self._announced[key].due if key is not None else idle_until
                if (left := due - time.monotonic()) > 0:
                    self._changed.wait(left)
                    continue
                if key is None:
                    continue
                announced = self._announced[key]
                announced.busy = True
            self._serve(key, announced)
            idle_until = time.monotonic() + _IDLE_S

    def _serve(self, key: str, announced: _Announced) -> None:
        """Do what is due about one action."""
        ends = announced.over
        taken = failed = False
        try:
            if ends:
                if announced.held:
                    self._limited(lambda: self._remote.remove("claims", key))
            elif announced.held:
                announced.count += 1
                self._limited(lambda: self._remote.renew_claim(key, self._claim(announced)))
            else:
                taken = not self._take(key, announced)
        except Exception as error:  # noqa: BLE001 - libraries behind fsspec raise what they like
            failed = True
            self._failures += _MOST if isinstance(error, NotImplementedError) else 1
        with self._changed:
            announced.busy = False
            announced.held = announced.held or not (ends or taken or failed)
            announced.due = 0.0 if announced.over else time.monotonic() + self._times.renewed
            if ends or taken or (failed and self._is_off):
                self._drop(key, announced)  # what is in the store expires
            elif not announced.held and announced.taken is None:
                self._drop(key, announced)
            if taken and announced.taken is not None:
                announced.taken()

    def _drop(self, key: str, announced: _Announced) -> None:
        if self._announced.get(key) is announced:
            del self._announced[key]

    def _take(self, key: str, announced: _Announced) -> bool:
        """Claim an action; False when another machine has claimed it, and is alive as far as one can tell."""
        if self._create(key, announced):
            return True
        data = self._limited(lambda: self._remote.claim(key))
        if data is not None:
            found = _decoded(data)
            if found is not None and found.nonce == self._nonce:
                return True  # it was written, but the answer was lost
            if not self._is_stale(key, data):
                return False
            self._limited(lambda: self._remote.remove("claims", key))
        return self._create(key, announced)

    def _create(self, key: str, announced: _Announced) -> bool:
        return self._limited(lambda: self._remote.create_claim(key, self._claim(announced)))

    def _is_stale(self, key: str, data: bytes) -> bool:
        """True for a claim whose owner most likely is dead."""
        now = time.monotonic()
        before, since = self._seen.get(key, (None, now))
        if before != data:
            self._seen[key], since = (data, now), now
        found = _decoded(data)
        old = found is not None and time.time() - found.written > self._times.old
        return old or now - since >= self._times.expired

    def _claim(self, announced: _Announced) -> bytes:
        return msgspec.json.encode(
            MachineClaim(owner=self._owner, nonce=self._nonce, written=time.time(), count=announced.count)
        )

    def _limited(self, function: Callable[[], T]) -> T:
        return bounded_call(function, self._times.answer)


def _decoded(data: bytes) -> MachineClaim | None:
    try:
        return msgspec.json.decode(data, type=MachineClaim)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
