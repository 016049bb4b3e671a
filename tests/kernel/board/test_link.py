"""Requests to a board: repeated until they arrive whole, and every way to fail has its message."""

import re
from collections.abc import Callable

import pytest
from bskernel.board.answers import Facts, StreamFacts
from bskernel.board.link import TRIES, BoardLink
from bskernel.board.packets import Packet, PacketReader, encode
from bskernel.core.errors import BskernelError, ConfigError, EnvironmentLacking

BYTE = StreamFacts(width=8, beats=2, parallel=1, bits=8, signed=False)
FACTS = Facts(
    board="ULX3S-85F", identity="0123456789abcdef", clock_hz=80_000_000, baud=1_000_000, frames_per_request=4,
    test_frames=0, input=BYTE, output=BYTE, frames=8, rule="first", predictions=None, labels=None,
)  # fmt: skip
INFO = bytes([1]) + bytes.fromhex(FACTS.identity)[::-1] + bytes(14)
Reply = Callable[[Packet], bytes]


class Board:
    """A board in this process, which answers with what `reply` makes."""

    def __init__(self, reply: Reply) -> None:
        self.reply, self.waiting, self.requests = reply, b"", 0
        self.reader = PacketReader(1000)

    def write(self, data: bytes, patience: float) -> None:
        for packet in self.reader.feed(data):
            self.requests += 1
            self.waiting += self.reply(packet)

    def read(self, patience: float) -> bytes:
        got, self.waiting = self.waiting, b""
        return got


def answer(kind: str, payload: bytes = b"") -> Reply:
    return lambda packet: encode(Packet(kind=kind, number=packet.number, payload=payload))


def link(reply: Reply) -> tuple[BoardLink, Board]:
    board = Board(reply)
    return BoardLink(board, FACTS, "/dev/ttyUSB7", 0.02), board


def refusal(call: Callable[[], object]) -> str:
    with pytest.raises(BskernelError) as caught:
        call()
    assert caught.value.hint
    return caught.value.message


def test_the_board_that_holds_the_design_is_accepted() -> None:
    link(answer("i", INFO))[0].check_identity()


def test_another_bitstream_is_refused_with_both_identities() -> None:
    other = bytes([1]) + bytes(8) + bytes(14)
    with pytest.raises(
        ConfigError, match="holds another design: 0000000000000000, not this build's 0123456789abcdef"
    ):
        link(answer("i", other))[0].check_identity()


def test_a_board_that_answers_nothing_is_told_from_one_that_answers_noise() -> None:
    silent = refusal(link(lambda _: b"")[0].check_identity)
    assert silent == "/dev/ttyUSB7: nobody answers at 1,000,000 baud"
    noise = refusal(link(lambda _: b"hello")[0].check_identity)
    assert re.search(r"nobody answers at 1,000,000 baud; \d+ bytes came that are no answer", noise)


def test_another_version_of_the_protocol_is_named() -> None:
    assert "another version" in refusal(link(answer("i", bytes([9]) + INFO[1:]))[0].check_identity)


def test_a_request_is_repeated_until_its_answer_is_whole() -> None:
    whole = encode(Packet(kind="f", number=0, payload=bytes([5, 0, 0, 0, 9, 0, 0, 0, 1, 2, 3, 4])))
    broken = [whole[:-3], b"\xa5\x5a\xff\xff", b""]

    def reply(packet: Packet) -> bytes:
        if broken:
            return broken.pop()
        return encode(Packet(kind="f", number=packet.number, payload=whole[7:-2]))

    made, board = link(reply)
    got = made.compute(bytes(4))
    assert (got.outputs, got.frames, got.first_cycles, got.all_cycles) == (bytes([1, 2, 3, 4]), 2, 5, 9)
    assert made.repeated == 3
    assert board.requests == 4


def test_an_answer_to_an_earlier_request_is_not_taken() -> None:
    def reply(packet: Packet) -> bytes:
        late = encode(Packet(kind="f", number=(packet.number - 1) % 256, payload=bytes(8) + b"oo"))
        return late + encode(Packet(kind="f", number=packet.number, payload=bytes(8) + b"no"))

    assert link(reply)[0].compute(bytes(2)).outputs == b"no"


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("c", "requests arrive damaged"),
        ("d", "the design gives no outputs"),
        ("l", "a request holds no whole frames"),
        ("u", "the board does not know the request"),
        ("z", "an unknown answer 'z'"),
    ],
)
def test_a_request_that_always_fails_says_why_and_how_often(kind: str, why: str) -> None:
    made, board = link(answer(kind))
    assert refusal(lambda: made.compute(bytes(2))) == f"/dev/ttyUSB7: {why}, {TRIES} times in a row"
    assert board.requests == TRIES


def test_a_board_that_falls_silent_is_given_up() -> None:
    made, _ = link(lambda _: b"")
    with pytest.raises(EnvironmentLacking, match=r"no whole answer within 0\.02 s, 4 times in a row"):
        made.restart()


def test_an_answer_of_another_size_is_refused() -> None:
    assert "answers 9 bytes for 1 frames" in refusal(lambda: link(answer("f", bytes(9)))[0].compute(bytes(2)))


def test_a_self_test_is_read() -> None:
    data = bytes([2]) + (9).to_bytes(2, "little") + (3).to_bytes(2, "little") + (70).to_bytes(4, "little") + bytes(4)
    test = link(answer("t", data))[0].read_self_test()
    assert (test.verdict, test.frames, test.wrong, test.first_cycles) == (2, 9, 3, 70)
