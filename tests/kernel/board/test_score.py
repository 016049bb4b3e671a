"""A score says what the board answered, and nothing that it did not."""

from typing import Literal

import numpy as np
from bskernel.board.answers import Answer, Facts, StreamFacts
from bskernel.board.score import score
from hypothesis import given
from hypothesis import strategies as st


def facts(
    rule: Literal["largest", "first", "tail"] = "largest",
    labels: tuple[int, ...] | None = (0, 1),
    bits: int = 5,
    parallel: int = 3,
) -> Facts:
    stream = StreamFacts(width=-(-bits * parallel // 8) * 8, beats=1, parallel=parallel, bits=bits, signed=True)
    return Facts(
        board="b", identity="0" * 16, clock_hz=10**8, baud=10**6, frames_per_request=4, test_frames=0, input=stream,
        output=stream, frames=2, rule=rule, predictions=labels, labels=labels,
    )  # fmt: skip


def pack(values: list[int], bits: int = 5) -> bytes:
    word = sum((value & (1 << bits) - 1) << bits * at for at, value in enumerate(values))
    return word.to_bytes(-(-bits * len(values) // 8), "little")


def answer(*frames: list[int], first: int = 10, every: int = 30) -> Answer:
    return Answer(outputs=b"".join(map(pack, frames)), frames=len(frames), first_cycles=first, all_cycles=every)


@given(st.integers(1, 24), st.integers(1, 5), st.booleans(), st.data())
def test_values_are_read_as_they_are_packed(bits: int, parallel: int, signed: bool, data: st.DataObject) -> None:
    low = -(1 << (bits - 1)) if signed else 0
    high = (1 << (bits - 1)) - 1 if signed else (1 << bits) - 1
    values = data.draw(st.lists(st.integers(low, high), min_size=parallel, max_size=parallel))
    width = -(-bits * parallel // 8) * 8
    stream = StreamFacts(width=width, beats=1, parallel=parallel, bits=bits, signed=signed)
    spare = (1 << width) - (1 << bits * parallel)  # what lies above a beat's values does not matter
    word = sum((value & (1 << bits) - 1) << bits * at for at, value in enumerate(values)) | spare
    assert stream.read_values(word.to_bytes(width // 8, "little")) == values


def test_accuracy_is_that_of_the_answers_and_not_of_what_was_expected() -> None:
    expected = pack([9, 1, 2]) + pack([1, 9, 2])
    right = score(facts(), expected, [answer([9, 1, 2], [1, 9, 2])])
    wrong = score(facts(), expected, [answer([9, 1, 2], [9, 1, 2])])
    other = score(facts(), expected, [answer([9, 1, 2], [-1, 5, -16])])
    assert (right.exact, right.accuracy) == (2, 1.0)
    assert (wrong.exact, wrong.accuracy) == (1, 0.5)
    assert (other.exact, other.accuracy) == (1, 1.0)
    assert other.difference is not None
    assert (other.difference.frame, other.difference.answered) == (1, [-1, 5, -16])


@given(st.lists(st.lists(st.integers(-16, 15), min_size=3, max_size=3), min_size=1, max_size=6))
def test_the_largest_value_is_numpys(frames: list[list[int]]) -> None:
    labels = tuple(int(np.argmax(frame)) for frame in frames)
    data = b"".join(map(pack, frames))
    assert score(facts(labels=labels), data, [answer(*frames)]).accuracy == 1.0


def test_what_only_the_tail_can_predict_is_known_of_equal_frames_alone() -> None:
    expected = pack([9, 1, 2]) + pack([1, 9, 2])
    equal = score(facts("tail"), expected, [answer([9, 1, 2], [1, 9, 2])])
    differs = score(facts("tail"), expected, [answer([9, 1, 2], [1, 9, 3])])
    assert equal.accuracy == 1.0
    assert differs.accuracy is None
    assert differs.why_no_accuracy == "1 frames differ, and only the host's tail makes predictions of their outputs"


def test_without_labels_there_is_no_accuracy() -> None:
    found = score(facts(labels=None), pack([1, 2, 3]), [answer([1, 2, 3])])
    assert (found.accuracy, found.why_no_accuracy) == (None, "the frames have no labels")


def test_the_pace_is_that_between_the_ends_of_frames() -> None:
    frames = [[1, 2, 3]] * 3
    several = [answer(*frames, first=50, every=70), answer(*frames, first=50, every=74), answer([1, 2, 3])]
    assert score(facts(labels=None), pack([1, 2, 3]) * 7, several).cycles_per_frame == 44 / 4
    assert score(facts(labels=None), pack([1, 2, 3]), [answer([1, 2, 3])]).cycles_per_frame is None
