"""Requests to a board and its answers: each is repeated until it arrived whole."""

from __future__ import annotations

import time
from typing import Protocol

from bskernel.board.answers import Answer, Facts, SelfTest
from bskernel.board.packets import Packet, PacketReader, encode
from bskernel.core.errors import ConfigError, EnvironmentLacking

VERSION = 1  # of the requests and answers
TRIES = 4
_INFO_BYTES, _COUNTERS, _TEST_BYTES = 23, 8, 13
_FIRST_WAIT = 0.5  # seconds, until the board is asked again who it is


class Line(Protocol):
    """Bytes to and from a board, e.g. a SerialPort."""

    def write(self, data: bytes, patience: float) -> None:
        """Send all bytes."""

    def read(self, patience: float) -> bytes:
        """Return bytes that came; none if there are none for `patience` seconds."""


class BoardLink:
    """The board at a port. Every method raises EnvironmentLacking when nobody answers, or only damaged bytes come."""

    def __init__(self, port: Line, facts: Facts, name: str, patience: float) -> None:
        """Expect the design of `facts`; `name` is that of the port, `patience` the seconds to wait for an answer."""
        self._port, self._facts, self._name, self._patience = port, facts, name, patience
        self._reader = PacketReader(facts.frames_per_request * facts.output.frame_bytes + _INFO_BYTES)
        self._number = 0
        self.repeated = 0  # requests

    def check_identity(self) -> None:
        """Ask who is there, soon again if nobody is: a board that begins does not hear.

        Raises ConfigError if it holds another design.
        """
        waits, left = _FIRST_WAIT, self._patience
        answer = None
        while answer is None and left > 0:
            answer = self._exchange("I", b"", min(waits, left))
            left -= waits
            waits *= 2
        if answer is None:
            raise EnvironmentLacking(
                f"{self._name}: nobody answers at {self._facts.baud:,} baud"
                + (f"; {self._reader.skipped} bytes came that are no answer" if self._reader.skipped else ""),
                hint="flash the board (bskernel board flash), and check that it is the port of the board's UART",
            )
        info = answer.payload
        if answer.kind != "i" or len(info) != _INFO_BYTES or info[0] != VERSION:
            raise ConfigError(
                f"{self._name}: the board speaks another version of bskernel's protocol",
                hint="build its design again, and flash that",
            )
        identity = info[8:0:-1].hex()
        if identity != self._facts.identity:
            raise ConfigError(
                f"{self._name}: the board holds another design: {identity}, not this build's {self._facts.identity}",
                hint="flash this build (bskernel board flash), or name the build that was flashed",
            )

    def restart(self) -> None:
        """Reset the design."""
        self._ask("R", b"", "r")

    def compute(self, inputs: bytes) -> Answer:
        """Let the design compute frames, at most those of a request."""
        frames = len(inputs) // self._facts.input.frame_bytes
        data = self._ask("F", inputs, "f").payload
        if len(data) != _COUNTERS + frames * self._facts.output.frame_bytes:
            raise EnvironmentLacking(
                f"{self._name}: the board answers {len(data)} bytes for {frames} frames",
                hint="build and flash it again",
            )
        return Answer(
            outputs=data[_COUNTERS:],
            frames=frames,
            first_cycles=int.from_bytes(data[:4], "little"),
            all_cycles=int.from_bytes(data[4:8], "little"),
        )

    def read_self_test(self) -> SelfTest:
        """Return what the self-test found."""
        data = self._ask("T", b"", "t").payload
        if len(data) != _TEST_BYTES:
            raise EnvironmentLacking(f"{self._name}: an answer of {len(data)} bytes", hint="build and flash it again")
        return SelfTest(
            verdict=data[0],
            frames=int.from_bytes(data[1:3], "little"),
            wrong=int.from_bytes(data[3:5], "little"),
            first_cycles=int.from_bytes(data[5:9], "little"),
            all_cycles=int.from_bytes(data[9:13], "little"),
        )

    def _ask(self, kind: str, payload: bytes, expected: str) -> Packet:
        causes = {
            "c": "requests arrive damaged",
            "d": "the design gives no outputs",
            "l": "a request holds no whole frames",
            "u": "the board does not know the request",
        }
        seen = "no answer"
        for attempt in range(TRIES):
            self.repeated += attempt > 0
            answer = self._exchange(kind, payload, self._patience)
            if answer is None:
                seen = f"no whole answer within {self._patience:g} s"
            elif answer.kind == expected:
                return answer
            else:
                seen = causes.get(answer.kind, f"an unknown answer {answer.kind!r}")
        raise EnvironmentLacking(
            f"{self._name}: {seen}, {TRIES} times in a row",
            hint="check cable and port; reset the board; a slower UART is parameter baud of wrap_board",
        )

    def _exchange(self, kind: str, payload: bytes, patience: float) -> Packet | None:
        """Send a request and return the answer to it; None if none comes for `patience` seconds.

        A checksum error is answered with the number of whatever the board took for a number, so it is always taken.
        """
        self._number = (self._number + 1) % 256
        self._port.write(encode(Packet(kind=kind, number=self._number, payload=payload)), self._patience)
        end = time.monotonic() + patience
        while (left := end - time.monotonic()) > 0:
            data = self._port.read(left)
            if data:
                end = time.monotonic() + patience
            for packet in self._reader.feed(data):
                if packet.number == self._number or packet.kind == "c":
                    return packet
        return None
