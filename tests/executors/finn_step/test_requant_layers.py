"""Thresholds that a multiplication cannot stand for stay thresholds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bskernel_executors.finn_step.requant_layers import keep_thresholds
from support.seeded_networks import QONNX, Network


def make(thresholds: Any, datatype: str, kind: str = "INT16", bias: float = -120.0) -> Any:
    from qonnx.core.datatype import DataType
    from qonnx.core.modelwrapper import ModelWrapper

    network = Network(0, (1, 4))
    given = network.constant(np.asarray(thresholds, dtype=np.float32).reshape(1, -1))
    network.node("MultiThreshold", given, domain=QONNX, out_dtype=datatype, out_scale=1.0, out_bias=float(bias))
    model = ModelWrapper(network.model((1, 4)))
    model.set_tensor_datatype("input", DataType[kind])
    return model


def is_kept(model: Any) -> bool:
    config = SimpleNamespace(requant_bitwidth_threshold=9)
    warnings = keep_thresholds(config, model)
    assert bool(warnings) == (config.requant_bitwidth_threshold > 32)
    return bool(warnings)


def test_a_part_of_a_wide_range_is_kept_and_said() -> None:
    config = SimpleNamespace(requant_bitwidth_threshold=9)
    (warning,) = keep_thresholds(config, make(np.arange(255), "INT9"))
    assert "MultiThreshold_0" in warning
    assert config.requant_bitwidth_threshold > 32


@pytest.mark.parametrize(("count", "datatype", "bias"), [(511, "INT9", -256), (510, "INT9", -255), (15, "INT5", -16)])
def test_whole_ranges_and_narrow_outputs_are_left_to_finn(count: int, datatype: str, bias: float) -> None:
    assert not is_kept(make(np.arange(count), datatype, bias=bias))


def test_halves_that_go_to_even_stay_thresholds() -> None:
    ties = (np.arange(1023) - 511.5) * 256
    to_even = ties + np.arange(1, 1024) % 2
    assert not is_kept(make(ties, "INT10", "INT24", bias=-512))
    assert is_kept(make(to_even, "INT10", "INT24", bias=-512))


def test_a_number_beside_a_half_is_enough_to_keep_thresholds() -> None:
    ties = (np.arange(1023) - 511.5) / 4  # the float32 below 1/8 times 4, plus 1/2, is 1 in float32
    assert is_kept(make(ties, "INT10", "FLOAT32", bias=-512))


def test_a_version_without_requant_needs_nothing() -> None:
    assert keep_thresholds(SimpleNamespace(), make(np.arange(255), "INT9")) == []
