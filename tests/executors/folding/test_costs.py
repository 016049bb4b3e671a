"""LUTs that are fitted to layers that were synthesised."""

import statistics
from collections.abc import Collection

import pytest
from bskernel_executors.folding.costs import Costs, Sample, fit, fit_all, predict, read_samples
from bskernel_executors.folding.families import CostFamily, find_samples

NETWORKS = ("digits", "digits_conv", "resnet_small", "cnv")
FINNS = ("MVAU_rtl", "Thresholding_rtl", "ConvolutionInputGenerator_rtl")


def sample(luts: float, **features: float) -> Sample:
    return Sample(operator="MVAU_rtl", features=features, LUT=luts, network="one")


def test_a_law_is_found_from_its_samples() -> None:
    found = fit([sample(20 + 5 * x + 0.5 * y, one=1, x=x, y=y) for x, y in ((1, 8), (2, 3), (5, 40), (9, 1), (4, 4))])
    assert found is not None
    assert found.weights == pytest.approx({"one": 20, "x": 5, "y": 0.5})
    assert found.error == pytest.approx(0, abs=1e-9)
    assert predict({"MVAU_rtl": found}, "MVAU_rtl", {"one": 1, "x": 3, "y": 2}) == pytest.approx(36)


def test_no_weight_is_negative() -> None:
    found = fit([sample(100 - x, one=1, x=x) for x in range(1, 9)])
    assert found is not None
    assert "x" not in found.weights


def test_equal_samples_count_once_and_too_few_are_no_fit() -> None:
    assert fit([sample(10, one=1)] * 20) is None
    assert predict(fit_all([sample(10, one=1)] * 20), "MVAU_rtl", {"one": 1}) is None


def test_the_error_is_that_of_samples_left_out() -> None:
    found = fit([sample(luts, one=1) for luts in (10, 20, 30, 1000)])
    assert found is not None
    assert found.error > 0.2


def find_errors(network: str, operators: Collection[str] | None = None) -> list[float]:
    """Relative errors of a network's LUTs, by fits to the others."""
    samples = read_samples()
    fits = fit_all([one for one in samples if one.network != network])
    errors = []
    for one in samples:
        guess = predict(fits, one.operator, one.features)
        if one.network == network and guess is not None and (operators is None or one.operator in operators):
            errors.append(abs(guess / one.LUT - 1))
    return errors


@pytest.mark.parametrize("network", NETWORKS)
def test_layers_of_a_network_that_was_left_out_of_the_fit_are_within_10_percent(network: str) -> None:
    errors = find_errors(network)
    assert len(errors) >= 30
    assert statistics.median(errors) <= 0.10


@pytest.mark.parametrize("network", NETWORKS)
def test_thresholds_of_a_network_that_was_left_out_are_within_15_percent(network: str) -> None:
    errors = find_errors(network, {"Thresholding_rtl"})
    assert len(errors) >= 8
    assert statistics.median(errors) <= 0.15


def test_windows_in_block_ram_are_known_too() -> None:
    in_blocks = {one.network for one in read_samples() if "one_of_blocks" in one.features}
    assert {"digits_conv", "resnet_small"} <= in_blocks


@pytest.mark.parametrize("resource", ["LUT", "FF"])
@pytest.mark.parametrize(
    ("network", "most"),
    [("digits", 0.15), ("digits_conv", 0.15), ("tfc", 0.2)],  # tfc is the only one with operands of 2 bits
)
def test_on_an_ecp5_layers_of_a_network_that_was_left_out_are_near_enough(
    network: str, most: float, resource: str
) -> None:
    samples = read_samples(find_samples("ecp5"))
    fits = fit_all([one for one in samples if one.network != network], resource)
    pairs = [
        (guess, one.counts()[resource])
        for one in samples
        if one.network == network and (guess := predict(fits, one.operator, one.features)) is not None
    ]
    assert len(pairs) >= 10
    assert statistics.median(abs(guess / count - 1) for guess, count in pairs) <= most


@pytest.mark.parametrize("family", ["ecp5", "ice40"])
def test_samples_that_are_shipped_say_their_family_and_fit_what_every_network_has(family: CostFamily) -> None:
    assert {one.family for one in read_samples(find_samples(family))} == {family}
    fits = Costs(family=family).fits["LUT"]
    assert {"MVAU_rtl", "Thresholding_rtl", "StreamingFIFO_rtl", "StreamingDataWidthConverter_rtl"} <= fits.keys()


def test_samples_of_another_family_teach_nothing() -> None:
    given = [sample(1000 * x, one=1, x=x) for x in range(1, 30)]
    assert Costs(given, family="ecp5").fits == Costs(family="ecp5").fits
    assert Costs(given, family="amd").fits != Costs(family="amd").fits


def test_every_operator_that_finn_estimates_badly_has_a_fit() -> None:
    for operator in FINNS:
        assert Costs().fits["LUT"][operator].error <= 0.16
        assert Costs().fits["LUT"][operator].samples >= 20
