"""Transposed convolutions come into the form that FINN lowers, or are refused by name."""

from __future__ import annotations

from typing import Any

import pytest
from bskernel_executors.qonnx_transform.adaptation.transposed_convolutions import mend_transposed_convolutions
from bskernel_executors.sdk import StepFailure
from support.mended import attribute, find, mend
from support.seeded_networks import Network, draw_frame


def make(kernel: int, stride: int, pad: int, extra: int, **attributes: Any) -> Any:
    network = Network(0, (1, 2, 4, 4))
    network.quantize()
    given = {
        "kernel_shape": [kernel, kernel],
        "strides": [stride, stride],
        "pads": [pad] * 4,
        "output_padding": [extra, extra],
        **attributes,
    }
    network.node("ConvTranspose", network.weights(2, 3, kernel, kernel), **given)
    size = stride * 3 + extra + kernel - 2 * pad
    return network.model((1, 3, size, size))


@pytest.mark.parametrize(("kernel", "stride", "pad", "extra"), [(3, 2, 1, 1), (2, 2, 0, 1), (5, 3, 2, 2)])
def test_output_padding_becomes_zeros_of_the_kernel(kernel: int, stride: int, pad: int, extra: int) -> None:
    model = make(kernel, stride, pad, extra)
    mend(model, mend_transposed_convolutions, [draw_frame(seed, 1, 2, 4, 4) for seed in range(3)])
    (node,) = find(model, "ConvTranspose")
    assert attribute(node, "kernel_shape") == [kernel + extra] * 2
    assert attribute(node, "output_padding") == [0, 0]


def test_one_without_output_padding_is_left_as_it_is() -> None:
    assert mend_transposed_convolutions(make(2, 2, 0, 0)) == []


@pytest.mark.parametrize(
    ("attributes", "needle"),
    [({"group": 2}, "2 groups"), ({"pads": [0, 0, 1, 1]}, "pads [0, 0, 1, 1]"), ({"output_shape": [8, 8]}, "shape")],
)
def test_what_finn_cannot_lower_is_refused_by_name(attributes: dict[str, Any], needle: str) -> None:
    with pytest.raises(StepFailure) as error:
        mend_transposed_convolutions(make(2, 2, 0, 0, **attributes))
    assert "ConvTranspose 'ConvTranspose_0'" in error.value.failure.message
    assert needle in error.value.failure.message
    assert error.value.failure.hint
