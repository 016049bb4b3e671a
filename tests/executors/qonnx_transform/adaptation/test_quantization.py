"""Layers that hardware cannot have are named before the first step of FINN."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from bskernel_executors.qonnx_transform.adaptation.input_datatype import annotate_input
from bskernel_executors.qonnx_transform.adaptation.quantization import check_quantization, check_widths
from bskernel_executors.sdk import StepFailure
from onnx import TensorProto, numpy_helper
from support.paths import ROOT
from support.seeded_networks import Network, make_cnn, make_mlp


def make_float(layers: int) -> Any:
    network = Network(0, (1, 4))
    for _ in range(layers):
        network.node("MatMul", network.constant(network.draw(4, 4) + 1 / 3))
        network.node("Relu")
    return network.model((1, 4))


def test_a_float_network_is_refused_with_its_layers_and_how_to_quantize() -> None:
    with pytest.raises(StepFailure) as error:
        check_quantization(make_float(7))
    assert error.value.failure.category == "model_load"
    assert "not quantized: MatMul 'MatMul_0' [4, 4], " in error.value.failure.message
    assert "and 2 more of 7 layers" in error.value.failure.message
    for word in ("QuantConv2d", "QuantReLU", "export_qonnx"):
        assert word in str(error.value.failure.hint)


@pytest.mark.parametrize("make", [make_mlp, make_cnn])
def test_a_quantized_network_passes_without_a_word(make: Any) -> None:
    assert check_quantization(make(0)) == []


def make_partly(quantize_input: bool) -> Any:
    network = Network(1, (1, 8))
    if quantize_input:
        network.quantize()
    network.node("MatMul", network.weights(8, 3))
    network.node("Relu")
    network.quantize(signed=0)
    network.node("MatMul", network.weights(3, 2))
    return network.model((1, 2))


def test_a_first_layer_of_floats_is_named_with_its_share_of_the_macs() -> None:
    assert check_quantization(make_partly(quantize_input=True)) == []
    (row,) = check_quantization(make_partly(quantize_input=False))
    assert row["label"] == "warning"
    assert "1 of 2 layers, 80% of the MACs: MatMul 'MatMul_0' [8, 3]" in row["note"]
    assert "input_datatype" in row["note"]


def test_an_input_of_integers_needs_no_quantizer() -> None:
    model = make_partly(quantize_input=False)
    (change,) = annotate_input(model, "UINT8")
    assert (change.names, change.before, change.after) == (("input",), "FLOAT32", "UINT8")
    assert check_quantization(model) == []
    assert annotate_input(model, "UINT8") == []
    typed = make_partly(quantize_input=False)
    typed.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    assert check_quantization(typed) == []


@pytest.mark.parametrize("name", ["FLOAT32", "uint8", "FIXED<8,4>"])
def test_a_type_that_is_no_integer_is_refused(name: str) -> None:
    with pytest.raises(StepFailure) as error:
        annotate_input(make_mlp(0), name)
    assert error.value.failure.category == "config"
    assert name in error.value.failure.message


def test_a_network_whose_only_layer_takes_floats_is_refused_with_the_remedy() -> None:
    network = Network(2, (1, 8))
    network.node("MatMul", network.weights(8, 3))
    with pytest.raises(StepFailure) as error:
        check_quantization(network.model((1, 3)))
    assert "no layer can be hardware: MatMul 'MatMul_0' [8, 3] of 1 layers" in error.value.failure.message
    assert "input_datatype" in str(error.value.failure.hint)


def test_float_weights_between_quantized_layers_are_named() -> None:
    network = Network(3, (1, 4))
    network.quantize()
    network.node("MatMul", network.weights(4, 4))
    network.quantize()
    network.node("MatMul", network.constant(network.draw(4, 4) + 1 / 3))
    (row,) = check_quantization(network.model((1, 4)))
    assert "no quantizer gives the weights of MatMul_1" in row["note"]


@pytest.mark.parametrize("scales", [0.125, [0.125, 0.25, 0.5, 1.0]])
def test_a_layer_behind_a_layer_needs_no_quantizer_between_if_its_weights_have_one_scale(scales: Any) -> None:
    network = Network(3, (1, 4))
    network.quantize()
    network.node("MatMul", network.weights(4, 4))
    (scale,) = [tensor for tensor in network.constants if tensor.name == network.nodes[-2].input[1]]
    scale.CopyFrom(numpy_helper.from_array(np.asarray(scales, dtype=np.float32), scale.name))
    network.node("Add", network.constant(network.draw(4)))
    network.node("MatMul", network.weights(4, 3))
    rows = check_quantization(network.model((1, 3)))
    assert len(rows) == (not isinstance(scales, float))


def make_wide(bits: int, *, layer: bool) -> Any:
    network = Network(4, (1, 4))
    network.quantize()
    network.node("MatMul", network.weights(4, 4))
    network.quantize(bits)
    network.node("Relu")
    if layer:
        network.node("MatMul", network.weights(4, 4))
    return network.model((1, 4))


def test_an_activation_too_wide_for_thresholds_is_named_with_its_layer_and_the_limit() -> None:
    with pytest.raises(StepFailure) as error:
        check_widths(make_wide(16, layer=True), 8)
    for needle in ("Quant 'Quant_2'", "MatMul 'MatMul_1'", "16 bits", "2**16", "8 bits"):
        assert needle in error.value.failure.message
    for needle in ("max_multithreshold_bit_width = 16", "[step.adapt.", "[step.step_qonnx_to_finn."):
        assert needle in str(error.value.failure.hint)
    assert check_widths(make_wide(8, layer=True), 8) == []
    assert check_widths(make_wide(16, layer=False), 8) == []


@pytest.mark.parametrize("layer", [True, False])
def test_an_activation_wider_than_finn_converts_by_default_is_named(layer: bool) -> None:
    (row,) = check_widths(make_wide(10, layer=layer), 12)
    assert row["label"] == "warning"
    for needle in ("Quant_2 (10 bits)", "2**10 - 1", "raised to 12"):
        assert needle in row["note"]


def test_adapt_and_finn_take_the_same_limit() -> None:
    found = {}
    for image, entry in (
        ("qonnx-transform/1.0.0", "adapt"),
        *((f"finn-step/finn-plus-{version}", "step_qonnx_to_finn") for version in ("1.6.1", "1.4.0")),
    ):
        catalogue = json.loads((ROOT / "images" / image / "catalogue.json").read_text())
        (described,) = [item for item in catalogue["entries"] if item["name"] == entry]
        found[image] = {item["name"]: item for item in described["parameters"]}["max_multithreshold_bit_width"][
            "default"
        ]
    assert set(found.values()) == {12}, found
