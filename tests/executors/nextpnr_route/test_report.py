"""nextpnr's own report of examples/digits, and what is read from it."""

from pathlib import Path

import msgspec
import pytest
from bskernel_executors.nextpnr_route.report import (
    Report,
    RoutedClock,
    count_used,
    find_critical_path,
    name_clock,
    name_layer,
    read_report,
)
from bskernel_executors.sdk import StepFailure
from hypothesis import given
from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[1] / "reports" / "nextpnr_report.json"
LAYERS = ("MVAU_rtl_0", "MVAU_rtl_1", "Thresholding_rtl_0")
ICE40 = GOLDEN.with_name("nextpnr_ice40_report.json")
_MHZ = st.floats(1, 1e3)


@pytest.fixture(scope="module")
def report() -> Report:
    return read_report(GOLDEN.read_bytes())


def test_a_clock_has_the_name_of_the_design_and_its_slack(report: Report) -> None:
    assert report.slowest is not None
    name, clock = report.slowest
    assert (name, round(clock.achieved, 1), clock.is_met) == ("ap_clk", 152.3, True)
    assert clock.slack_ns == pytest.approx(1e3 / clock.constraint - 1e3 / clock.achieved)


@given(achieved=_MHZ, constraint=_MHZ)
def test_a_clock_is_met_exactly_if_its_slack_is_not_negative(achieved: float, constraint: float) -> None:
    clock = RoutedClock(achieved=achieved, constraint=constraint)
    assert clock.is_met == (clock.slack_ns >= 0) or achieved == pytest.approx(constraint)


def test_resources_are_counted_with_the_ports_of_memories_in_luts(report: Report) -> None:
    used = count_used(report.utilization)
    cells = report.utilization
    assert used["LUT"] == cells["TRELLIS_COMB"].used + 2 * cells["TRELLIS_RAMW"].used
    assert (used["BRAM_18K"], used["DSP"], used["FF"]) == (3, 0, 1596)


def test_the_critical_path_names_its_layers_and_adds_up(report: Report) -> None:
    path = find_critical_path(report, LAYERS)
    assert path is not None
    assert report.slowest is not None
    assert path.layers == ("MVAU_rtl_0",)
    assert path.delay_ns == pytest.approx(1e3 / report.slowest[1].achieved, abs=2e-3)
    assert path.slowest.endswith("(clk-to-q)")
    assert path.routing_ns < path.slowest_ns < path.delay_ns


@pytest.mark.parametrize(
    ("cell", "layer"),
    [
        ("MVAU_rtl_0_i.n12", "MVAU_rtl_0"),
        ("MVAU_rtl_10_i.n12", "MVAU_rtl_10"),
        ("network.MVAU_rtl_1_i.layer_memory.x", "MVAU_rtl_1"),
        ("uart.n3", None),
        ("MVAU_rtl_0", None),  # a cell of the top module
    ],
)
def test_a_cell_belongs_to_the_layer_whose_instance_it_is_in(cell: str, layer: str | None) -> None:
    assert name_layer(cell, (*LAYERS, "MVAU_rtl_10")) == layer


def test_a_design_without_registers_has_no_clock_and_no_critical_path(report: Report) -> None:
    empty = msgspec.structs.replace(report, fmax={}, critical_paths=())
    assert empty.slowest is None
    assert find_critical_path(empty, LAYERS) is None


def test_a_report_of_another_form_is_refused() -> None:
    with pytest.raises(StepFailure, match="not of version"):
        read_report(b'{"fmax": {}}')


def test_a_report_of_an_ice40_counts_logic_cells_and_small_block_rams_and_no_flip_flops() -> None:
    report = read_report(ICE40.read_bytes())
    assert report.slowest is not None
    name, clock = report.slowest
    assert (name, round(clock.achieved, 1), clock.is_met) == ("ap_clk", 49.8, True)
    assert count_used(report.utilization) == {"LUT": 2905, "DSP": 0, "BRAM_4K": 7}


def test_a_critical_path_of_an_ice40_names_its_layers_and_adds_up() -> None:
    report = read_report(ICE40.read_bytes())
    path = find_critical_path(report, (*LAYERS, "StreamingFIFO_rtl_2"))
    assert path is not None
    assert path.layers == ("MVAU_rtl_1", "StreamingFIFO_rtl_2")
    assert path.delay_ns == pytest.approx(1e3 / 49.845478, abs=2e-3)


@pytest.mark.parametrize(
    ("net", "name"),
    [
        ("$glbnet$ap_clk$TRELLIS_IO_IN", "ap_clk"),
        ("ap_clk$SB_IO_IN_$glb_clk", "ap_clk"),
        ("ap_clk$SB_IO_IN", "ap_clk"),
        ("ap_clk", "ap_clk"),
    ],
)
def test_a_clock_loses_what_nextpnr_adds_to_its_name(net: str, name: str) -> None:
    assert name_clock(net) == name
