"""A network that FINN builds of HLS layers, two of which differ in nothing but their weights."""

from typing import Any

import numpy as np

from support.seeded_networks import Network

SIZE = 8


def make_twin_layers(*, first: bool = True) -> Any:
    """Four dense layers. The second and third have the same sums of weights, so the same widths, and other weights.

    Without the `first` there are three, of which the first two are these twins.
    """
    network = Network(3, (1, SIZE))
    drawn = network.draw(SIZE, SIZE)
    network.quantize(signed=1 if first else 0)
    for turned in (0, 1, 2) if first else (2, 3):
        before = network.last
        network.last = network.constant(np.roll(drawn, turned, axis=(0, 1)))
        weights = network.quantize()
        network.last = before
        network.node("MatMul", weights)
        network.node("Relu")
        network.quantize(signed=0)
    network.node("MatMul", network.weights(SIZE, 4))
    return network.model((1, 4))
