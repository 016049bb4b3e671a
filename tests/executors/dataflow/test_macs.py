"""Multiply-accumulates of one layer, counted in each form that it has on its way to hardware."""

from types import SimpleNamespace
from typing import Any

from bskernel_executors.dataflow.macs import count_macs, count_weights, multiplies
from hypothesis import given
from hypothesis import strategies as st

SIZES = st.integers(1, 6)


class Model:
    """A ModelWrapper as counting sees it: shapes and sparsity of tensors."""

    def __init__(self, shapes: dict[str, list[int] | None], sparsity: dict[str, Any] | None = None) -> None:
        self.shapes = shapes
        self.sparsity = sparsity

    def get_tensor_shape(self, name: str) -> list[int] | None:
        return self.shapes[name]

    def get_tensor_sparsity(self, name: str) -> dict[str, Any] | None:
        return self.sparsity if name == "w" else None


def node(kind: str, **attributes: int | list[int]) -> Any:
    found = [
        SimpleNamespace(
            name=name, i=value if isinstance(value, int) else 0, ints=value if isinstance(value, list) else []
        )
        for name, value in attributes.items()
    ]
    return SimpleNamespace(op_type=kind, input=["x", "w"], output=["y"], attribute=found)


def counts(model: Model, of: Any) -> tuple[int | None, int | None]:
    return count_macs(model, of), count_weights(model, of)


@given(SIZES, SIZES, SIZES, SIZES)
def test_a_convolution_its_matrix_product_and_its_hardware_layer_count_the_same(
    channels: int, made: int, kernel: int, side: int
) -> None:
    width = channels * kernel * kernel
    conv = Model({"x": [1, channels, side, side], "w": [made, channels, kernel, kernel], "y": [1, made, side, side]})
    lowered = Model({"x": [1, side, side, width], "w": [width, made], "y": [1, side, side, made]})
    expected = (made * side * side * width, made * width)
    assert counts(conv, node("Conv")) == expected
    assert counts(lowered, node("MatMul")) == expected
    assert counts(lowered, node("MVAU_rtl", MW=width, MH=made)) == expected


@given(SIZES, SIZES, SIZES)
def test_zeros_of_a_lowered_depthwise_convolution_do_not_count(channels: int, kernel: int, side: int) -> None:
    conv = Model({"x": [1, channels, side, side], "w": [channels, 1, kernel, kernel], "y": [1, channels, side, side]})
    shapes = {"x": [1, side, side, channels * kernel * kernel], "y": [1, side, side, channels]}
    lowered = Model(
        {**shapes, "w": [channels * kernel * kernel, channels]}, {"dw": {"kernel_shape": [kernel, kernel]}}
    )
    hardware = Model({**shapes, "w": [channels, 1, kernel, kernel]})
    expected = (channels * side * side * kernel * kernel, channels * kernel * kernel)
    assert counts(conv, node("Conv", group=channels)) == expected
    assert counts(lowered, node("MatMul")) == expected
    assert counts(hardware, node("VVAU", Kernel=[kernel, kernel], Channels=channels)) == expected


def test_a_transposed_convolution_uses_each_value_of_its_input_once_per_weight() -> None:
    model = Model({"x": [1, 3, 4, 4], "w": [3, 5, 2, 2], "y": [1, 5, 8, 8]})
    assert counts(model, node("ConvTranspose")) == (48 * 5 * 4, 60)


def test_a_transposed_gemm_sums_over_its_first_dimension() -> None:
    model = Model({"x": [7, 2], "w": [7, 3], "y": [2, 3]})
    assert count_macs(model, node("Gemm", transA=1)) == 2 * 3 * 7


def test_unknown_shapes_give_no_count() -> None:
    assert counts(Model({"x": [1, 4], "w": [4, 2], "y": None}), node("MatMul"))[0] is None
    assert counts(Model({"x": [0, 4], "w": [4, 2], "y": [1, 2]}), node("MatMul"))[0] is None
    assert counts(Model({"x": [1, 4], "w": None, "y": [1, 2]}), node("MatMul")) == (None, None)


def test_elementwise_operators_do_not_multiply() -> None:
    assert not any(multiplies(node(kind)) for kind in ("Mul", "Thresholding_rtl", "ElementwiseMul_hls", "TopK"))
    assert multiplies(node("VVAU_hls"))
