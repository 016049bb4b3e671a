"""Features and block RAMs of layers on devices of Lattice's."""

from types import SimpleNamespace
from typing import Any

import pytest
from bskernel_executors.finn_step.lattice_layers import describe_lattice_layer
from bskernel_executors.lattice.devices import Family

COMMON = {"one": 1.0, "bits_in": 16.0, "bits_out": 12.0, "estimate": 7.0, "dsp": 3.0, "memory": 99.0}


class Instance:
    """A layer as FINN's class shows it."""

    def __init__(self, bits: tuple[int, int], **attributes: int) -> None:
        self.bits, self.attributes = bits, attributes

    def get_nodeattr(self, name: str) -> int:
        return self.attributes[name]

    def get_input_datatype(self, at: int) -> Any:
        return SimpleNamespace(bitwidth=lambda: self.bits[at])

    def calc_wmem(self) -> int:
        one = self.attributes
        return one["MW"] * one["MH"] // (one["PE"] * one["SIMD"])


def describe(operator: str, family: Family, instance: Instance) -> tuple[dict[str, float], dict[str, float]]:
    return describe_lattice_layer(COMMON, 7.0, SimpleNamespace(op_type=operator), instance, family)


@pytest.mark.parametrize(
    ("family", "replay", "blocks"), [("ecp5", 4.0, {"BRAM_18K": 1.0}), ("ice40", 0.0, {"BRAM_4K": 3.0})]
)
def test_a_matrix_unit_of_digits_has_the_blocks_that_yosys_counted(
    family: Family, replay: float, blocks: dict[str, float]
) -> None:
    unit = Instance((4, 4), MW=64, MH=32, PE=1, SIMD=4)
    features, estimate = describe("MVAU_rtl", family, unit)
    assert (features["blocks_deep"], features["replay"], features["dsp"]) == (0.5, replay, 0.0)
    assert "memory" not in features
    assert estimate == {"LUT": 7.0, "DSP": 0.0, **blocks}


def test_a_unit_that_computes_all_outputs_at_once_keeps_no_inputs() -> None:
    features, estimate = describe("MVAU_rtl", "ice40", Instance((4, 4), MW=32, MH=2, PE=2, SIMD=1))
    assert features["replay"] == 0.0
    assert estimate["BRAM_4K"] == 1.0


def test_small_weights_lie_in_luts_of_an_ecp5() -> None:
    features, estimate = describe("MVAU_rtl", "ecp5", Instance((4, 4), MW=32, MH=10, PE=1, SIMD=2))
    assert (features["memory"], estimate["BRAM_18K"]) == (20.0, 0.0)
    assert "blocks_deep" not in features


def test_thresholds_are_described_by_what_they_compare() -> None:
    features, _ = describe("Thresholding_rtl", "ecp5", Instance((12, 10), PE=2, NumChannels=32, numSteps=15))
    assert (features["stages"], features["comparator_bits"], features["compared_bits"]) == (8.0, 24.0, 96.0)
    assert features["memory"] == 75.0
    assert "estimate" not in features
