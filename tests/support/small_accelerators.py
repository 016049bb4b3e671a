"""Small quantized networks of the kinds that the open flow builds, made from a seed."""

from typing import Any

from support.seeded_networks import Network


def _convolve(network: Network, inputs: int, outputs: int, kernel: list[int], group: int = 1) -> None:
    padding = [side // 2 for side in kernel] * 2
    network.node(
        "Conv", network.weights(outputs, inputs // group, *kernel),
        kernel_shape=kernel, strides=[1] * len(kernel), pads=padding, dilations=[1] * len(kernel), group=group,
    )  # fmt: skip


def _activate(network: Network) -> None:
    network.node("Relu")
    network.quantize(scale=0.5, signed=0)


def make_separable() -> Any:
    """A convolution, a pool, a depthwise and a pointwise convolution, and scores: MobileNet's and CNV's layers.

    The last quantizer has a zero point: its integers, -5 to 10, need fewer thresholds than five bits could have.
    """
    network = Network(5, (1, 2, 6, 6))
    network.quantize()
    _convolve(network, 2, 4, [3, 3])
    _activate(network)
    network.node("MaxPool", kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0])
    _convolve(network, 4, 4, [3, 3], group=4)
    _activate(network)
    _convolve(network, 4, 6, [1, 1])
    network.quantize(scale=0.5, signed=0, zero=5.0)
    network.node("Flatten", axis=1)
    network.node("MatMul", network.weights(54, 4))
    return network.model((1, 4))


def make_upscaling() -> Any:
    """A convolution and a transposed one, whose output FINN transposes after the network is cut for the host."""
    network = Network(6, (1, 2, 4, 4))
    network.quantize()
    _convolve(network, 2, 4, [3, 3])
    _activate(network)
    network.node(
        "ConvTranspose", network.weights(4, 2, 2, 2),
        kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 0, 0], dilations=[1, 1], group=1,
    )  # fmt: skip
    return network.model((1, 2, 8, 8))
