"""What a kept session is, and what is said between its keeper and those who use it. Only this kernel speaks this."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec
from bskernel_protocol import Failure

from bskernel.core.step import ExecutorRef
from bskernel.runtime.session_dirs import Owner

State = Literal["starting", "idle", "in use", "ending"]


class DaemonSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What a keeper is to start. All of it but `idle_s` and `root` is in the session's name."""

    executor: ExecutorRef
    runtime: str
    idle_s: float  # how long nobody may use it before it ends
    root: str  # the checkout whose recipe it is
    cache: str


class DaemonRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A kept session, as its keeper writes it down."""

    order: DaemonSpec
    session: str
    keeper: Owner


class Up(msgspec.Struct, frozen=True, kw_only=True, tag="up"):
    """A new keeper's first and only word: its server is starting."""


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag="failed"):
    """A new keeper's last word."""

    failure: Failure


class LeaseRequest(msgspec.Struct, frozen=True, kw_only=True, tag="lease"):
    """Use the session until this connection ends; `idle_s` is the user's newest wish."""

    idle_s: float | None = None


class StatusRequest(msgspec.Struct, frozen=True, kw_only=True, tag="ask"):
    """How is it? With `idle_s`, let it stay that long from now on."""

    idle_s: float | None = None


class EndRequest(msgspec.Struct, frozen=True, kw_only=True, tag="end"):
    """End: at once, or with `when_free` as soon as nobody uses it."""

    when_free: bool = False


class LimitRequest(msgspec.Struct, frozen=True, kw_only=True, tag="limit"):
    """What the session may hold in all, in MiB."""

    mebibytes: int | None


class EndFactsRequest(msgspec.Struct, frozen=True, kw_only=True, tag="why-ended"):
    """Why the server ended, and its last lines."""


class KillRequest(msgspec.Struct, frozen=True, kw_only=True, tag="end-server"):
    """It does not heed: kill it."""


class ReleaseRequest(msgspec.Struct, frozen=True, kw_only=True, tag="release"):
    """The run is over; answered when the next one may come."""


Request: TypeAlias = (
    LeaseRequest | StatusRequest | EndRequest | LimitRequest | EndFactsRequest | KillRequest | ReleaseRequest
)


class Granted(msgspec.Struct, frozen=True, kw_only=True, tag="granted"):
    """The session is yours: a socket with its frames comes with this."""

    session: str


class Busy(msgspec.Struct, frozen=True, kw_only=True, tag="busy"):
    """Another run uses it, or it ends; of a new keeper, that there is one already."""


class Status(msgspec.Struct, frozen=True, kw_only=True, tag="status"):
    """How it is; `idle_s` since its last use and `left_s` until it ends, where nobody uses it."""

    state: State
    keeps_s: float
    idle_s: float | None = None
    left_s: float | None = None


class EndFacts(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """Why the server ended; `taken_down` when the user wanted it and no step is to blame."""

    facts: dict[str, Any]
    last_words: tuple[str, ...]
    taken_down: bool


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True, tag="done"):
    """It is done."""


Reply: TypeAlias = Granted | Busy | Status | EndFacts | Acknowledged
