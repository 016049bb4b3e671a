"""Outputs before and after, on drawn frames."""

from __future__ import annotations

from typing import Any

import pytest
from bskernel_executors.qonnx_transform.adaptation.comparison import FRAMES, NotExecutable, count_differing
from support.seeded_networks import Network, make_cnn, make_mlp


def relu(*shape: int) -> Any:
    network = Network(0, shape)
    network.quantize()
    network.node("Relu")
    return network.model(shape)


def test_a_network_agrees_with_itself_and_differs_from_another() -> None:
    assert count_differing(make_cnn(0), make_cnn(0)) == (0, FRAMES)
    assert count_differing(make_mlp(0), make_mlp(1)) == (FRAMES, FRAMES)


def test_each_frame_of_a_batch_is_compared() -> None:
    assert count_differing(make_cnn(0, batch=3), make_cnn(0)) == (0, 3 * FRAMES)


def test_an_input_of_another_rank_takes_the_same_values() -> None:
    assert count_differing(relu(1, 2, 6), relu(1, 2, 1, 6)) == (0, FRAMES)
    assert count_differing(relu(1, 2, 6), relu(1, 2, 7)) == (FRAMES, FRAMES)


def test_what_cannot_be_executed_before_is_no_difference() -> None:
    broken = make_cnn(0)
    broken.graph.node[0].input[0] = "nowhere"
    with pytest.raises(NotExecutable):
        count_differing(broken, make_cnn(0))
    assert count_differing(make_cnn(0), broken) == (FRAMES, FRAMES)
