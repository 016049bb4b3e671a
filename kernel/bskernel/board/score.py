"""What a board's answers say of its design. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bskernel.board.answers import Answer, Facts


class DifferentFrame(msgspec.Struct, frozen=True, kw_only=True):
    """The first frame whose outputs differ."""

    frame: int
    answered: list[int]
    expected: list[int]


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured. What cannot be known is None."""

    frames: int
    exact: int  # frames of which every output is Python's
    difference: DifferentFrame | None
    accuracy: float | None  # fraction of the labelled frames, of what the board answered
    why_no_accuracy: str | None
    first_cycles: int  # of a design at rest: from the first beat in to the frame's last beat out
    cycles_per_frame: float | None  # between the ends of frames of a request; None if no request has two


def predict(facts: Facts, values: Sequence[int]) -> int | None:
    """The prediction that follows from a frame's outputs; None if only the host's tail can tell."""
    if facts.rule == "largest":
        return max(range(len(values)), key=values.__getitem__)
    return values[0] if facts.rule == "first" else None


def score(facts: Facts, expected: bytes, answers: Sequence[Answer]) -> Score:
    """Compare the answers for the first frames with what Python computed for them."""
    outputs, size = b"".join(answer.outputs for answer in answers), facts.output.frame_bytes
    frames = len(outputs) // size
    exact, right, unknown, difference = 0, 0, 0, None
    for at in range(frames):
        got, wanted = (facts.output.read_values(data[at * size : (at + 1) * size]) for data in (outputs, expected))
        exact += got == wanted
        if got != wanted and difference is None:
            difference = DifferentFrame(frame=at, answered=got, expected=wanted)
        prediction = predict(facts, got)
        if prediction is None and got == wanted and facts.predictions is not None:
            prediction = facts.predictions[at]
        unknown += prediction is None
        right += facts.labels is not None and prediction == facts.labels[at]
    why = None
    if facts.labels is None:
        why = "the frames have no labels"
    elif unknown:
        why = f"{unknown} frames differ, and only the host's tail makes predictions of their outputs"
    several = [answer for answer in answers if answer.frames > 1]
    between = sum(answer.frames - 1 for answer in several)
    return Score(
        frames=frames,
        exact=exact,
        difference=difference,
        accuracy=right / frames if why is None and frames else None,
        why_no_accuracy=why,
        first_cycles=answers[0].first_cycles,
        cycles_per_frame=sum(a.all_cycles - a.first_cycles for a in several) / between if between else None,
    )
