"""What nextpnr is asked for, which attempt counts, what fits a device, and what is packed."""

import json
from pathlib import Path
from typing import Any

import pytest
from bskernel_executors.exchange.synthesis import Implementation
from bskernel_executors.lattice.devices import find_part, list_devices
from bskernel_executors.nextpnr_route.bitstream import check_packable
from bskernel_executors.nextpnr_route.netlist import FlatNetlist, check_fit, read_netlist
from bskernel_executors.nextpnr_route.report import Report, RoutedClock, find_overflow
from bskernel_executors.nextpnr_route.router import Attempt, choose, make_arguments
from bskernel_executors.sdk import StepFailure
from hypothesis import given
from hypothesis import strategies as st

PART, SMALL = find_part("LFE5U-25F-6BG381C"), find_part("iCE40UP5K-SG48I")
KINDS = {
    "ecp5": {"LUT": "LUT4", "FF": "TRELLIS_FF", "BRAM_18K": "DP16KD", "DSP": "MULT18X18D"},
    "ice40": {"LUT": "SB_LUT4", "FF": "SB_DFFESR", "BRAM_4K": "SB_RAM40_4K", "DSP": "SB_MAC16"},
}


def netlist(cells: dict[str, int], pins: int = 0) -> FlatNetlist:
    return FlatNetlist(top="top", pins=pins, cells=cells)


def attempt(seed: int, achieved: float | None) -> Attempt:
    fmax = {} if achieved is None else {"clk": RoutedClock(achieved=achieved, constraint=100.0)}
    return Attempt(seed=seed, report=Report(fmax=fmax, utilization={}, critical_paths=()), folder=Path())


@given(st.lists(st.floats(1, 300), min_size=1))
def test_the_fastest_attempt_counts(reached: list[float]) -> None:
    attempts = [attempt(seed, mhz) for seed, mhz in enumerate(reached)]
    best = choose(attempts)
    assert best.mhz == max(reached)
    assert best.seed == reached.index(max(reached))


def test_arguments_name_no_path_of_the_machine() -> None:
    given = make_arguments(PART, mhz=1e3 / 6.67, seed=7, effort="high", pins="board", write_netlist=True)
    text = " ".join(given)
    assert "--25k --package CABGA381 --speed 6" in text
    assert "--freq 149.925 --seed 7" in text
    assert "--lpf /work/pins.lpf --tmg-ripup --write /work/netlist-7.routed.json" in text
    assert "--lpf" not in make_arguments(
        PART, mhz=100, seed=1, effort="default", pins="out-of-context", write_netlist=False
    )


@pytest.mark.parametrize("device", list_devices())
def test_a_design_fits_up_to_the_last_resource_of_a_device(device: str) -> None:
    described = list_devices()[device]
    part = find_part(f"{device}-{described.speeds[0] if described.speeds else ''}{described.packages[0]}")
    full = {kind: described.resources[resource] for resource, kind in KINDS[part.family].items()}
    check_fit(netlist(full), part)
    for resource, kind in KINDS[part.family].items():
        with pytest.raises(StepFailure, match=f"does not fit {device}: it needs .* {resource} of") as refused:
            check_fit(netlist(full | {kind: full[kind] + 1}), part)
        assert refused.value.failure.category == "resource"


def test_all_resources_that_are_short_are_named_at_once() -> None:
    with pytest.raises(StepFailure) as refused:
        check_fit(netlist({"PDPW16KD": 57, "CCU2C": 12_145}), PART)
    assert "24,290 LUT of 24,288, 57 BRAM_18K of 56" in str(refused.value)
    with pytest.raises(StepFailure) as refused:
        check_fit(netlist({"SB_LUT4": 6_000, "SB_RAM40_4K": 31}, pins=62), SMALL)
    assert "iCE40UP5K: it needs 6,000 LUT of 5,280, 31 BRAM_4K of 30, 62 pins of 39" in str(refused.value)


def test_pins_bound_a_design_only_where_nextpnr_must_place_them_all() -> None:
    check_fit(netlist({}, pins=500), PART)
    check_fit(netlist({}, pins=39), SMALL)
    with pytest.raises(StepFailure, match="it needs 40 pins of 39"):
        check_fit(netlist({}, pins=40), SMALL)


def test_what_a_packed_design_has_too_much_of_is_read_from_the_log() -> None:
    log = (
        "Info: Device utilisation:\n"
        "Info: \t         ICESTORM_LC:    5411/   5280   102%\n"
        "Info: \t        ICESTORM_RAM:       7/     30    23%\n"
        "ERROR: Unable to place cell 'x', no BELs remaining to implement cell type 'ICESTORM_LC'\n"
    )
    assert find_overflow(log) == {"logic cells": (5_411, 5_280)}
    assert find_overflow(log.replace("5411", "5280")) == {}


def test_an_ice40_has_no_speed_and_its_pins_are_placed() -> None:
    given = make_arguments(SMALL, mhz=45, seed=1, effort="default", pins="free", write_netlist=False)
    assert "--up5k --package sg48 --json" in " ".join(given)
    assert {"--asc", "--pcf-allow-unconstrained"} <= set(given)
    assert not {"--speed", "--textcfg", "--lpf-allow-unconstrained"} & set(given)


def test_a_netlist_has_one_top_with_its_pins() -> None:
    ports = {"clk": {"bits": [2]}, "data": {"bits": [3, "0", 4]}}
    top = {"attributes": {"top": "0001"}, "ports": ports, "cells": {"a": {"type": "LUT4"}, "b": {"type": "LUT4"}}}
    found = read_netlist(json.dumps({"modules": {"t": top, "box": top | {"attributes": {}}}}).encode())
    assert (found.top, found.pins, found.cells) == ("t", 4, {"LUT4": 2})
    with pytest.raises(StepFailure, match="0 top modules, not one"):
        read_netlist(json.dumps({"modules": {"box": top | {"attributes": {}}}}).encode())
    with pytest.raises(StepFailure, match="no netlist of Yosys"):
        read_netlist(b"module t;")


def routed(**changed: Any) -> Implementation:
    values: dict[str, Any] = {"stage": "routed", "tool": "nextpnr-ecp5 0.11.1", "part": PART.name, "clock_ns": 10.0}
    return Implementation(**(values | {"met": True, "fmax_mhz": 120.0, "pins": "free"} | changed))


def test_a_design_that_meets_its_clock_is_packed_and_another_one_only_if_asked() -> None:
    check_packable(routed(), PART, allow_missed_timing=False)
    missed = routed(met=False, fmax_mhz=90.5)
    check_packable(missed, PART, allow_missed_timing=True)
    with pytest.raises(StepFailure, match=r"90\.5 MHz of 100 MHz") as refused:
        check_packable(missed, PART, allow_missed_timing=False)
    assert refused.value.failure.category == "timing"


@pytest.mark.parametrize(
    ("changed", "named"),
    [({"part": "LFE5U-85F-6BG381C"}, "routed for LFE5U-85F-6BG381C"), ({"pins": "out-of-context"}, "out of context")],
)
def test_a_design_of_another_part_or_without_pins_is_never_packed(changed: dict[str, Any], named: str) -> None:
    with pytest.raises(StepFailure, match=named) as refused:
        check_packable(routed(**changed), PART, allow_missed_timing=True)
    assert refused.value.failure.category == "config"
