"""The record of a warm session, and the messages between its daemon and clients; private to this kernel version."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec
from bskernel_protocol import Failure

from bskernel.core.step import ExecutorRef
from bskernel.runtime.session_dirs import Owner
from bskernel.runtime.watch import VitalSigns

State = Literal["starting", "idle", "in use", "ending", "stopped"]


class DaemonSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a daemon starts. Everything but `idle_s`, `root` and `recipes` is part of the session's identity."""

    executor: ExecutorRef
    runtime: str
    idle_s: float  # idle time in seconds after which it ends
    root: str  # the checkout with the recipe
    recipes: tuple[str, ...] = ()  # further folders of recipes, which come first
    cache: str


class DaemonRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A warm session, as its daemon records it on disk."""

    order: DaemonSpec
    session: str
    keeper: Owner
    engine: dict[str, Any] | None = None  # facts about the engine that runs it; None for a process


class Up(msgspec.Struct, frozen=True, kw_only=True, tag="up"):
    """A new daemon's only message to its launcher: the server is starting."""


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """A new daemon could not start the server; it exits."""

    failure: Failure


class LeaseRequest(msgspec.Struct, frozen=True, kw_only=True, tag="lease"):
    """Borrow the session until this connection ends; `idle_s` sets a new idle time in seconds."""

    idle_s: float | None = None


class StatusRequest(msgspec.Struct, frozen=True, kw_only=True, tag="ask"):
    """Ask for the status; `idle_s` sets a new idle time in seconds, counted from now."""

    idle_s: float | None = None


class EndRequest(msgspec.Struct, frozen=True, kw_only=True, tag="end"):
    """End the session, at once or with `when_free` as soon as no run uses it."""

    when_free: bool = False


class LimitRequest(msgspec.Struct, frozen=True, kw_only=True, tag="limit"):
    """Limit the memory of the whole session, in MiB; None removes the limit."""

    mebibytes: int | None


class VitalSignsRequest(msgspec.Struct, frozen=True, kw_only=True, tag="vital-signs"):
    """Ask what the system or the engine says of the server."""


class EndFactsRequest(msgspec.Struct, frozen=True, kw_only=True, tag="why-ended"):
    """Ask why the server ended, and for its last lines."""


class KillRequest(msgspec.Struct, frozen=True, kw_only=True, tag="end-server"):
    """Kill the server, which does not react."""


class ReleaseRequest(msgspec.Struct, frozen=True, kw_only=True, tag="release"):
    """The run has ended. The answer comes when the session is ready for the next run."""


Request: TypeAlias = (
    LeaseRequest
    | StatusRequest
    | EndRequest
    | LimitRequest
    | VitalSignsRequest
    | EndFactsRequest
    | KillRequest
    | ReleaseRequest
)


class Granted(msgspec.Struct, frozen=True, kw_only=True, tag="granted"):
    """The session is lent; a socket for its frames follows."""

    session: str


class Busy(msgspec.Struct, frozen=True, kw_only=True, tag="busy"):
    """Another run uses the session, or it is ending. From a new daemon: the session has one already."""


class Status(msgspec.Struct, frozen=True, kw_only=True, tag="status"):
    """The session's status. If idle: `idle_s` seconds since its last use, `left_s` seconds until it ends."""

    state: State
    keeps_s: float
    idle_s: float | None = None
    left_s: float | None = None


class EndFacts(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """Why the server ended; `taken_down` when the user ended it, so that no step is to blame."""

    facts: dict[str, Any]
    last_words: tuple[str, ...]
    taken_down: bool


class Signs(msgspec.Struct, frozen=True, kw_only=True, tag="signs"):
    """What the system or the engine says of the server."""

    signs: VitalSigns


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """The request has been handled."""


Reply: TypeAlias = Granted | Busy | Status | Signs | EndFacts | Acknowledged
