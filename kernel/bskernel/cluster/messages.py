"""What the build and the workers tell one another, as MessagePack: to Dask it is bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import msgspec
from bskernel_protocol import Artifact, Event, Failure, digest_of_bytes

from bskernel.core.action import Action
from bskernel.core.step import Step
from bskernel.execution.step_runner import StepOutcome
from bskernel.store import SharedSettings


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """All that a worker must know or have, whichever step it carries out."""

    code: str  # the digest of the kernel's and the protocol's sources, which must be the same
    root: str  # the checkout with the executors' recipes
    runtime: str  # docker, process or auto
    cache: str | None  # the workers' cache folder; their own when None
    shared: SharedSettings | None  # the store behind that
    handed_over: bool  # a result that is not in the shared store is none

    @property
    def digest(self) -> str:
        """Tells sites apart."""
        return digest_of_bytes(_encoder.encode(self)).sha256


class StepRequest(msgspec.Struct, frozen=True, kw_only=True, tag="order"):
    """A step to carry out. Its inputs come by digest from the store."""

    site: Site
    step: Step
    action: Action
    inputs: dict[str, Artifact]
    share: bool  # recall what was made meanwhile
    damaged: bool  # what the shared store has of it, which is to be mended
    topic: str  # where events go


class StepAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """How it ended there."""

    outcome: StepOutcome
    seconds: float
    recalled: bool
    doubtful: bool
    runtime: str  # where it ran: docker or process
    worker: str  # HOST (ADDRESS), for people


class Rejected(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The worker cannot carry it out."""

    failure: Failure


class StepEventMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What a running step says."""

    key: str  # the task's
    event: Event


Answer: TypeAlias = StepAnswer | Rejected


def _as_text(value: Any) -> str:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"{type(value).__name__} has no form")


def _from_text(wanted: type, value: Any) -> Any:
    if issubclass(wanted, Path):
        return Path(value)
    raise NotImplementedError(f"{wanted.__name__} has no form")


_encoder = msgspec.msgpack.Encoder(enc_hook=_as_text)
_order = msgspec.msgpack.Decoder(StepRequest, dec_hook=_from_text)
_answer: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)
_told = msgspec.msgpack.Decoder(StepEventMessage)


def encode(message: StepRequest | Answer | StepEventMessage) -> bytes:
    """The message's bytes. Equal messages of equal code: nothing here outlives a run."""
    return _encoder.encode(message)


def decode_request(data: bytes) -> StepRequest:
    """Raises msgspec.DecodeError: of another version of the kernel."""
    return _order.decode(data)


def decode_answer(data: bytes) -> Answer:
    """Raises msgspec.DecodeError."""
    return _answer.decode(data)


def decode_event(data: bytes) -> StepEventMessage:
    """Raises msgspec.DecodeError."""
    return _told.decode(data)
