"""Damaged reports: a value that is found is the one in the undamaged report, or it is absent."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel_executors.vivado_reports import (
    read_hierarchy,
    read_hierarchy_xml,
    read_log,
    read_power,
    read_qor,
    read_timing,
    read_utilization,
)
from hypothesis import given, settings
from hypothesis import strategies as st

DATA = Path(__file__).parents[1] / "reports"
READERS: dict[str, Callable[[str], Any]] = {
    "2019.2_artix7_picorv32_utilization_placed.rpt": read_utilization,
    "2019.2_kintexusp_picorv32_utilization_placed.rpt": read_utilization,
    "2020.1_zynq7020_hls4ml_vivado_synth.rpt": read_utilization,
    "artix7_timing_summary.rpt": read_timing,
    "2019.1_zynq7010_redpitaya_power_routed.rpt": read_power,
}
TEXTS = {name: (DATA / name).read_text(encoding="utf-8") for name in READERS}
# Path details follow the summary in hundreds of lines: they are cut off so that damage hits what is read.
TEXTS["artix7_timing_summary.rpt"] = TEXTS["artix7_timing_summary.rpt"][:12_000]
# What the undamaged reports state, read by eye.
STATED: dict[str, dict[str, Any]] = {
    "2019.2_artix7_picorv32_utilization_placed.rpt": {
        "used": {
            "LUT": 1009, "LUTRAM": 48, "SRL": 7, "FF": 920, "BRAM": 0, "BRAM_36K": 0, "BRAM_18K": 0, "DSP": 0,
        },
        "available": {"LUT": 133800, "FF": 267600, "BRAM": 365, "BRAM_36K": 365, "BRAM_18K": 730, "DSP": 740},
    },
    "2019.2_kintexusp_picorv32_utilization_placed.rpt": {
        "used": {
            "LUT": 999, "LUTRAM": 48, "SRL": 7, "FF": 920, "CARRY": 42, "BRAM": 0, "BRAM_36K": 0, "BRAM_18K": 0,
            "URAM": 0, "DSP": 0,
        },
        "available": {
            "LUT": 162720, "FF": 325440, "CARRY": 27120, "BRAM": 360, "BRAM_36K": 360, "BRAM_18K": 720, "URAM": 48,
            "DSP": 1368,
        },
    },
    "2020.1_zynq7020_hls4ml_vivado_synth.rpt": {
        "used": {
            "LUT": 1526, "LUTRAM": 0, "SRL": 48, "FF": 2428, "BRAM": 0, "BRAM_36K": 0, "BRAM_18K": 0, "DSP": 66,
        },
        "available": {"LUT": 53200, "FF": 106400, "BRAM": 140, "BRAM_36K": 140, "BRAM_18K": 280, "DSP": 220},
        "before_implementation": True,
    },
    "artix7_timing_summary.rpt": {
        "wns_ns": -3.463, "tns_ns": -4.14, "whs_ns": 0.097, "ths_ns": 0.0, "wpws_ns": 1.37, "failing_endpoints": 10,
        "endpoints": 2371, "met": False, "clocks": ({"name": "clk", "period_ns": 5.0},),
    },
    "2019.1_zynq7010_redpitaya_power_routed.rpt": {
        "total_w": 2.051, "dynamic_w": 1.919, "static_w": 0.132, "junction_c": 48.7, "confidence": "Low",
        "parts": {
            "Clocks": 0.036, "Slice Logic": 0.009, "Signals": 0.012, "Block RAM": 0.012, "MMCM": 0.108,
            "DSPs": 0.002, "I/O": 0.454, "XADC": 0.002, "PS7": 1.283,
        },
    },
}  # fmt: skip
WHOLE = {name: READERS[name](text) for name, text in TEXTS.items()}
names = st.sampled_from(sorted(READERS))
utilizations = st.sampled_from([name for name in READERS if READERS[name] is read_utilization])


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """All that a reader found, but the warnings."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key != "warnings":
                yield from leaves(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, f"{path}[{inner['name'] if isinstance(inner, dict) else ''}]")
    elif value is not None:
        yield path, value


def check(name: str, damaged: str) -> None:
    whole = dict(leaves(msgspec.to_builtins(WHOLE[name])))
    for path, value in leaves(msgspec.to_builtins(READERS[name](damaged))):
        assert whole.get(path) == value, f"{name}: {path}"


@pytest.mark.parametrize("name", sorted(READERS))
def test_an_undamaged_report_is_read_whole(name: str) -> None:
    """Without this, a reader that finds nothing would pass all tests of damage."""
    found = msgspec.to_builtins(WHOLE[name])
    header = found.pop("header")
    assert found == STATED[name]
    assert header["tool"] == "Vivado"
    assert header["version"] in {"2019.1", "2019.2", "2020.1"}
    check(name, TEXTS[name])


@given(name=names, share=st.floats(0, 1))
def test_a_truncated_report(name: str, share: float) -> None:
    check(name, TEXTS[name][: int(share * len(TEXTS[name]))])


@given(name=names, data=st.data())
@settings(max_examples=200)
def test_lines_that_are_lost_or_written_twice(name: str, data: st.DataObject) -> None:
    lines = TEXTS[name].splitlines(keepends=True)
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(lines) - 1))
        if data.draw(st.booleans()):
            del lines[at]
        else:
            lines.insert(at, lines[at])
    check(name, "".join(lines))


def swap(line: str, left: int, right: int, *, widths: bool) -> str:
    """Two cells of a table's line in each other's place; with their widths, or padded to those that are there."""
    bar = line[:1]
    cells = line.split(bar) if bar in {"|", "+"} else []
    if len(cells) != 7 or not (widths or bar == "|"):
        return line
    if widths:
        cells[left], cells[right] = cells[right], cells[left]
    else:
        moved = {
            place: f"{cells[other].strip()} ".rjust(len(cells[place]))
            for place, other in ((left, right), (right, left))
        }
        for place, cell in moved.items():
            cells[place] = cell
    return bar.join(cells)


@given(
    name=utilizations,
    columns=st.tuples(st.integers(1, 5), st.integers(1, 5)).filter(lambda pair: pair[0] < pair[1]),
    which=st.sampled_from(["all", "heads", "rows"]),
)
def test_columns_that_are_swapped(name: str, columns: tuple[int, int], which: str) -> None:
    def damaged(line: str) -> str:
        if which == "all":
            return swap(line, *columns, widths=True)
        return swap(line, *columns, widths=False) if ("Site Type" in line) == (which == "heads") else line

    check(name, "\n".join(damaged(line) for line in TEXTS[name].splitlines()))


def test_columns_swapped_with_their_heads_are_found_again() -> None:
    name = "2020.1_zynq7020_hls4ml_vivado_synth.rpt"
    damaged = "\n".join(swap(line, 2, 4, widths=True) for line in TEXTS[name].splitlines())
    assert damaged != TEXTS[name]
    assert read_utilization(damaged).used["LUT"] == 1526


@given(utilizations, st.sets(st.integers(600, 6000), max_size=40))
def test_digits_that_are_lost_change_no_count(name: str, places: set[int]) -> None:
    text = "".join(" " if place in places else letter for place, letter in enumerate(TEXTS[name]))
    for resource, value in read_utilization(text).used.items():
        assert value == WHOLE[name].used[resource]


@given(st.text(max_size=300))
@pytest.mark.parametrize(
    "read",
    [read_utilization, read_hierarchy, read_hierarchy_xml, read_timing, read_power, read_qor, read_log],
)
def test_any_text_is_read_as_something(read: Callable[[str], Any], text: str) -> None:
    read(text)
    read("    WNS(ns)  TNS(ns)\n" + text)
    read("+--+--+\n" + text)
