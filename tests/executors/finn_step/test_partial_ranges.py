"""Thresholds that end before their data type does stay thresholds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bskernel_executors.finn_step.partial_ranges import keep_partial_ranges
from support.seeded_networks import QONNX, Network


def make(count: int, datatype: str) -> Any:
    from qonnx.core.modelwrapper import ModelWrapper

    network = Network(0, (1, 4))
    thresholds = network.constant(np.arange(count, dtype=np.float32).reshape(1, -1))
    network.node("MultiThreshold", thresholds, domain=QONNX, out_dtype=datatype, out_scale=1.0, out_bias=-120.0)
    return ModelWrapper(network.model((1, 4)))


def test_a_part_of_a_wide_range_is_kept_and_said() -> None:
    config = SimpleNamespace(requant_bitwidth_threshold=9)
    (warning,) = keep_partial_ranges(config, make(255, "INT9"))
    assert "MultiThreshold_0" in warning
    assert config.requant_bitwidth_threshold > 32


@pytest.mark.parametrize(("count", "datatype"), [(511, "INT9"), (510, "INT9"), (15, "INT5")])
def test_whole_ranges_and_narrow_outputs_are_left_to_finn(count: int, datatype: str) -> None:
    config = SimpleNamespace(requant_bitwidth_threshold=9)
    assert keep_partial_ranges(config, make(count, datatype)) == []
    assert config.requant_bitwidth_threshold == 9


def test_a_version_without_requant_needs_nothing() -> None:
    assert keep_partial_ranges(SimpleNamespace(), make(255, "INT9")) == []
