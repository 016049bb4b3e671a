"""What a difference between stages says about where to look."""

import pytest
from bskernel_executors.exchange.evaluation import StageComparison
from bskernel_executors.quality.causes import HALVES, SUMS
from bskernel_executors.quality.comparison import find_hint


@pytest.mark.parametrize(
    ("causes", "steps", "text"),
    [
        ({SUMS: 3}, ("a", "b"), "float32 itself decides"),
        ({HALVES: 1, SUMS: 2}, ("a",), "float32 itself decides"),
        ({SUMS: 2}, ("a", "b"), 'quality.verify = "steps"'),
        ({HALVES: 3}, ("a",), "replay the step"),
        ({}, ("a",), "replay the step"),
    ],
)
def test_steps_are_suspected_unless_float32_is_proven_to_decide_every_frame(
    causes: dict[str, int], steps: tuple[str, ...], text: str
) -> None:
    found = StageComparison(
        stage="qonnx", by="outputs", frames=8, mismatches=3, largest_difference=1.0, causes=causes
    )
    assert text in find_hint(found, steps)
