"""Networks whose quantizers, ranks and layouts are mended, from a model to its estimates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from bskernel.result.build_result import BuildResult
from bskernel.workspace.workspace import Workspace
from support.builds import build_text, result_of
from support.seeded_networks import Network, make_mlp

pytestmark = pytest.mark.env
TARGET = 'build.model = "net.onnx"\ntarget.board = "ZCU104"\ntarget.target_fps = 100_000\n'


def build(workspace: Workspace, folder: Path, model: Any, more: str = "") -> BuildResult:
    folder.mkdir(exist_ok=True)
    onnx.save(model, folder / "net.onnx")
    return build_text(workspace, folder, TARGET + more)


def throughput(result: BuildResult) -> float:
    assert result.status == "ok", result.failure
    assert result.metrics is not None
    return float(result.metrics["throughput"][0]["value"])


def chain(network: Network, dtype: Any, low: int, high: int, zero: int = 0) -> str:
    """QuantizeLinear, Clip and DequantizeLinear with the scale 1/8."""
    scale, point = network.constant(0.125), network.constant(zero, dtype=dtype)
    network.node("QuantizeLinear", scale, point)
    network.node("Clip", network.constant(low, dtype=dtype), network.constant(high, dtype=dtype))
    return network.node("DequantizeLinear", scale, point)


def make_qcdq(zero: int = 0) -> Any:
    """The network of make_mlp as chains; `zero` is the zero point of its activation."""
    network = Network(0, (1, 6))
    chain(network, np.int8, -8, 7)
    for inputs, outputs in ((6, 5), (5, 3)):
        before, network.last = network.last, network.constant(network.draw(inputs, outputs))
        weights, network.last = chain(network, np.int8, -8, 7), before
        network.node("MatMul", weights)
        if outputs == 5:
            network.node("Relu")
            chain(network, np.uint8, 0, 15, zero)
    return network.model((1, 3))


def make_keyword_network() -> Any:
    network = Network(3, (1, 10, 32))
    network.quantize(8, 0.11)  # with these scales no sum is an exact half
    for channels, following, scale in ((10, 8, 0.113), (8, 16, 0.071)):
        network.node("Conv", network.weights(following, channels, 3), kernel_shape=[3], pads=[1, 1])
        network.node("Relu")
        network.quantize(scale=scale, signed=0)
        network.node("MaxPool", kernel_shape=[2], strides=[2])
    network.node("Flatten", axis=1)
    network.node("MatMul", network.weights(128, 12))
    return network.model((1, 12))


def test_a_qcdq_export_is_as_fast_as_the_same_network_with_quantizers(workspace: Workspace, tmp_path: Path) -> None:
    models = {"quantizers": make_mlp(0), "chains": make_qcdq(zero=5)}
    found = {
        name: throughput(build(workspace, tmp_path / name, model, 'quality.verify = "off"\n'))
        for name, model in models.items()
    }
    assert len(set(found.values())) == 1, found


def test_a_keyword_network_over_one_axis_takes_its_samples_in_either_layout(
    workspace: Workspace, tmp_path: Path
) -> None:
    frames = np.random.default_rng(0).normal(size=(4, 10, 32)).astype(np.float32)
    tmp_path.joinpath("net").mkdir()
    results = []
    for name, values in (("first", frames), ("last", frames.transpose(0, 2, 1))):
        np.savez(tmp_path / "net" / f"{name}.npz", inputs=values)
        result = build(workspace, tmp_path / "net", make_keyword_network(), f'quality.samples = "{name}.npz"\n')
        throughput(result)
        results.append(np.load(tmp_path / "net" / "out" / "artifacts" / "samples")["inputs"])
    assert results[0].shape == (4, 10, 1, 32)
    assert (results[0] == results[1]).all()
    steps = {step["name"]: step for step in result_of(tmp_path / "net" / "out")["steps"]}
    assert steps["samples"]["record"]["transposed"] == "frames of [32, 10] transposed to [10, 1, 32]"


def test_activations_of_ten_bits_are_hardware_and_exact(workspace: Workspace, tmp_path: Path) -> None:
    network = Network(5, (1, 6))
    network.quantize(10, 1 / 64)
    network.node("MatMul", network.weights(6, 5))
    network.node("Relu")
    network.quantize(10, 1 / 16, signed=0)
    network.node("MatMul", network.weights(5, 3))
    throughput(
        build(workspace, tmp_path / "wide", network.model((1, 3)), "step.samples.parameters.drawn_frames = 100\n")
    )
    result = result_of(tmp_path / "wide" / "out")
    rows = result["steps"][0]["record"]["summary"]
    assert any("2**10 - 1 thresholds" in row["note"] for row in rows if row["label"] == "warning"), rows
    stages = json.loads((tmp_path / "wide" / "out" / "artifacts" / "evaluation" / "evaluation.json").read_text())
    compared = [stage["comparison"] for stage in stages["stages"][1:]]
    assert [(found["frames"], found["mismatches"]) for found in compared] == [(100, 0), (100, 0)]


def test_a_float_network_is_refused_before_the_first_step_of_finn(workspace: Workspace, tmp_path: Path) -> None:
    network = Network(0, (1, 6))
    network.node("MatMul", network.constant(network.draw(6, 5) / 3))
    network.node("Relu")
    result = build(workspace, tmp_path / "float", network.model((1, 5)))
    assert result.failure is not None
    assert [step.status for step in result.steps[:2]] == ["failed", "skipped"]
    assert "not quantized: MatMul 'MatMul_0' [6, 5]" in result.failure.message
    assert "QuantLinear" in str(result.failure.hint)
