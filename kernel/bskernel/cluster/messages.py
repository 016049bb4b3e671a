"""The messages between a build and its workers, as MessagePack; to Dask they are bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import msgspec
from bskernel_protocol import Artifact, Event, Failure, digest_of_bytes

from bskernel.core.action import Action
from bskernel.core.step import Step
from bskernel.execution.step_runner import StepOutcome
from bskernel.store import SharedSettings

T = TypeVar("T")


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker needs to know for any step of a build."""

    code: str  # the digest of the kernel's and the protocol's sources, which must match the worker's
    root: str  # the checkout with the executors' recipes
    runtime: str  # docker, process or auto
    cache: str | None  # the workers' cache folder; None for their own default
    shared: SharedSettings | None  # the shared store behind the cache
    recipes: tuple[str, ...] = ()  # further folders of recipes, which come first
    handed_over: bool  # inputs and results pass through the shared store

    @property
    def digest(self) -> str:
        """The digest of all fields."""
        return digest_of_bytes(_encoder.encode(self)).sha256


class StepRequest(msgspec.Struct, frozen=True, kw_only=True, tag="order"):
    """A step to run. The worker reads its inputs from the store, by digest."""

    site: Site
    step: Step
    action: Action
    inputs: dict[str, Artifact]
    share: bool  # recall a result that exists meanwhile
    damaged: bool = False  # the shared store's copy of the result is damaged: replace it
    topic: str = ""  # the Dask topic for events, where Dask carries them


class StepAnswer(msgspec.Struct, frozen=True, kw_only=True, tag="ended"):
    """How a step ended on a worker."""

    outcome: StepOutcome
    seconds: float
    recalled: bool
    doubtful: bool
    runtime: str  # where it ran: docker or process
    worker: str  # HOST (ADDRESS), for display


class Rejected(msgspec.Struct, frozen=True, kw_only=True, tag="refused"):
    """The worker cannot run the step."""

    failure: Failure


Answer: TypeAlias = StepAnswer | Rejected


class StepNews(msgspec.Struct, frozen=True, kw_only=True, tag="news"):
    """What a step on a worker has said since the last news of it, in order, and its answer once it has ended."""

    key: str  # the task's
    events: tuple[Event, ...]
    answer: Answer | None = None


class Assignment(msgspec.Struct, frozen=True, kw_only=True, tag="run"):
    """To a worker of this machine: a step to run, under a key of its own."""

    key: str
    request: StepRequest


class CancelStep(msgspec.Struct, frozen=True, kw_only=True, tag="cancel"):
    """To a worker of this machine: end that step; nobody waits for it."""

    key: str


class Unfinished(msgspec.Struct, frozen=True, kw_only=True, tag="unfinished"):
    """From a worker of this machine: it has cancelled the step, or it ends itself before the step does."""

    key: str


class Broken(msgspec.Struct, frozen=True, kw_only=True, tag="broken"):
    """From a worker of this machine: an unexpected error of the step, pickled."""

    key: str
    error: bytes


ToWorker: TypeAlias = Assignment | CancelStep
FromWorker: TypeAlias = StepNews | Unfinished | Broken


def _as_text(value: Any) -> str:
    if isinstance(value, Path):
        return str(value)
    raise NotImplementedError(f"cannot encode {type(value).__name__}")


def _from_text(target: type, value: Any) -> Any:
    if issubclass(target, Path):
        return Path(value)
    raise NotImplementedError(f"cannot decode {target.__name__}")


_encoder = msgspec.msgpack.Encoder(enc_hook=_as_text)
_request = msgspec.msgpack.Decoder(StepRequest, dec_hook=_from_text)
_answer: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)
_news = msgspec.msgpack.Decoder(StepNews)
_to_worker: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker, dec_hook=_from_text)
_from_worker: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(FromWorker)


def encode(message: StepRequest | Answer | ToWorker | FromWorker) -> bytes:
    """Encode a message. Both sides run the same version of the code, and no message outlives a run."""
    return _encoder.encode(message)


def _decoded(decoder: msgspec.msgpack.Decoder[T], data: bytes) -> T:
    try:
        return decoder.decode(data)
    except (UnicodeDecodeError, RecursionError) as error:  # of texts, and of nesting: no error of msgspec's own
        raise msgspec.DecodeError(str(error)) from error


def decode_request(data: bytes) -> StepRequest:
    """Decode a request. Raises msgspec.DecodeError for one from another version of the kernel."""
    return _decoded(_request, data)


def decode_answer(data: bytes) -> Answer:
    """Decode an answer. Raises msgspec.DecodeError."""
    return _decoded(_answer, data)


def decode_news(data: bytes) -> StepNews:
    """Decode news of a step. Raises msgspec.DecodeError."""
    return _decoded(_news, data)


def decode_to_worker(data: bytes) -> ToWorker:
    """Decode a message to a worker of this machine. Raises msgspec.DecodeError."""
    return _decoded(_to_worker, data)


def decode_from_worker(data: bytes) -> FromWorker:
    """Decode a message from a worker of this machine. Raises msgspec.DecodeError."""
    return _decoded(_from_worker, data)
