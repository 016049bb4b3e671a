"""A channel whose peer writes what no server should: every step that waits fails, and nobody waits for ever."""

import contextlib
import os
import struct
import threading
from typing import Any

import pytest
from bskernel.runtime.channel import Channel
from bskernel.runtime.watch import VitalSigns
from bskernel_protocol import PROTOCOL_VERSION, Ready, StepStarted, canonical_bytes
from hypothesis import given
from hypothesis import strategies as st


class Pipes:
    """A transport whose server is the test."""

    seals_inputs = True

    def __init__(self, fault: type[BaseException] | None = None) -> None:
        reading, self.theirs = os.pipe()
        self._reading = self.source = os.fdopen(reading, "rb", buffering=0)
        self.sink = os.fdopen(os.open(os.devnull, os.O_WRONLY), "wb")
        self.ended = self.ended_by_channel = False
        self._ending = threading.Lock()
        self._fault = fault
        if fault is not None:
            self.source = self  # type: ignore[assignment]

    def read(self, size: int, /) -> bytes:
        assert self._fault is not None
        raise self._fault("as the test wants")

    def vital_signs(self) -> VitalSigns:
        return VitalSigns(state="running", used=0.0)

    def limit_memory(self, mebibytes: int | None) -> None: ...

    def end_facts(self) -> dict[str, Any]:
        return {}

    def end(self) -> None:
        with self._ending:
            if not self.ended:
                self.ended = True
                os.close(self.theirs)

    def close(self) -> None:
        self.end()
        self._reading.close()
        self.sink.close()

    def last_words(self) -> tuple[str, ...]:
        return ()

    def say(self, *messages: bytes) -> None:
        for message in messages:
            os.write(self.theirs, struct.pack(">4sI", b"BSK1", len(message)) + message)


READY = canonical_bytes(Ready(protocol=PROTOCOL_VERSION, executor="e", version="1"))


def outcome(pipes: Pipes, *sent: bytes, raw: bytes = b"") -> Any:
    """How a step ends whose server sends these messages and bytes, and then its end unless the channel ends it."""
    channel = Channel(pipes, "e@1")  # type: ignore[arg-type]
    ended: list[Any] = []
    step = threading.Thread(target=lambda: ended.append(channel.run("00-a", None, lambda _: None)), daemon=True)
    step.start()
    with contextlib.suppress(OSError):
        pipes.say(*sent)
        os.write(pipes.theirs, raw)
    step.join(60)
    assert ended, "the step waits for ever"
    channel.close()
    pipes.ended_by_channel = pipes.ended
    pipes.close()
    return ended[0]


def test_a_message_that_nests_deeper_than_the_stack_fails_the_step() -> None:
    nested = b"\x83\xa4type\xacstep-started\xa9directory\xa4a\xc0bc\xa1m" + b"\x91" * 50_000 + b"\xc0"
    ended = outcome(Pipes(), READY, nested)
    assert ended.failure.category == "executor"
    assert ended.session_over


@pytest.mark.parametrize("fault", [RecursionError, MemoryError, RuntimeError, KeyError, SystemExit])
def test_whatever_ends_the_thread_that_reads_fails_the_step(fault: type[BaseException]) -> None:
    ended = outcome(Pipes(fault))
    assert ended.failure is not None
    assert fault.__name__ in ended.failure.message


def test_the_first_part_of_a_message_and_nothing_more_fails_the_step_although_the_peer_lives() -> None:
    pipes = Pipes()
    ended = outcome(pipes, READY, canonical_bytes(StepStarted(directory="00-a")), raw=b"BSK1\0\0\1\0rest")
    assert ended.failure.category == "crash"
    assert "part of a message" in ended.failure.message
    assert pipes.ended_by_channel


@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_on_the_channel_end_in_a_failure(data: bytes) -> None:
    pipes = Pipes()
    channel = Channel(pipes, "e@1")  # type: ignore[arg-type]
    os.write(pipes.theirs, data)
    pipes.end()
    ended = channel.run("00-a", None, lambda _: None)
    channel.close()
    pipes.close()
    assert ended.failure is not None
