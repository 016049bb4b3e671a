"""Vivado's reports: the numbers that a reader sees in real ones, and what has no number."""

from pathlib import Path

import pytest
from bskernel_executors.vivado_reports import (
    read_hierarchy,
    read_hierarchy_xml,
    read_power,
    read_qor,
    read_timing,
    read_utilization,
)

DATA = Path(__file__).parents[1] / "reports"


def text_of(name: str) -> str:
    return (DATA / name).read_text(encoding="utf-8")


def test_a_placed_design_on_a_7_series_part() -> None:
    found = read_utilization(text_of("2019.2_artix7_picorv32_utilization_placed.rpt"))
    assert found.used == {
        "LUT": 1009, "LUTRAM": 48, "SRL": 7, "FF": 920, "BRAM": 0, "BRAM_36K": 0, "BRAM_18K": 0, "DSP": 0,
    }  # fmt: skip
    assert found.available == {
        "LUT": 133_800, "FF": 267_600, "BRAM": 365, "BRAM_36K": 365, "BRAM_18K": 730, "DSP": 740,
    }  # fmt: skip
    head = found.header
    assert (head.tool, head.version, head.build) == ("Vivado", "2019.2", "2708876")
    assert (head.design, head.device, head.state) == ("top", "7a200tffv1156-2", "Fully Placed")
    assert not found.before_implementation
    assert found.warnings == ()


def test_a_placed_design_on_ultrascale_plus() -> None:
    found = read_utilization(text_of("2019.2_kintexusp_picorv32_utilization_placed.rpt"))
    assert found.used == {
        "LUT": 999, "LUTRAM": 48, "SRL": 7, "FF": 920, "CARRY": 42,
        "BRAM": 0, "BRAM_36K": 0, "BRAM_18K": 0, "URAM": 0, "DSP": 0,
    }  # fmt: skip
    assert (found.available["LUT"], found.available["URAM"]) == (162_720, 48)
    assert found.header.device == "xcku3pffva676-2"


def test_rows_with_a_star_are_counts_before_implementation() -> None:
    found = read_utilization(text_of("2020.1_zynq7020_hls4ml_vivado_synth.rpt"))
    assert found.used == {
        "LUT": 1526, "LUTRAM": 0, "SRL": 48, "FF": 2428, "BRAM": 0, "BRAM_36K": 0, "BRAM_18K": 0, "DSP": 66,
    }  # fmt: skip
    assert found.header.state == "Synthesized"
    assert found.before_implementation


def test_the_timing_of_a_routed_design_that_misses_its_clock() -> None:
    found = read_timing(text_of("artix7_timing_summary.rpt"))
    assert found is not None
    assert (found.wns_ns, found.tns_ns, found.whs_ns, found.ths_ns, found.wpws_ns) == (-3.463, -4.14, 0.097, 0, 1.37)
    assert (found.failing_endpoints, found.endpoints, found.met) == (10, 2371, False)
    assert [(clock.name, clock.period_ns) for clock in found.clocks] == [("clk", 5.0)]
    assert found.fmax_mhz == pytest.approx(1e3 / 8.463)


def test_power_with_how_sure_it_is_and_without_what_lies_below_a_milliwatt() -> None:
    found = read_power(text_of("2019.1_zynq7010_redpitaya_power_routed.rpt"))
    assert (found.total_w, found.dynamic_w, found.static_w) == (2.051, 1.919, 0.132)
    assert (found.junction_c, found.confidence) == (48.7, "Low")
    assert found.parts == {
        "Clocks": 0.036, "Slice Logic": 0.009, "Signals": 0.012, "Block RAM": 0.012, "MMCM": 0.108, "DSPs": 0.002,
        "I/O": 0.454, "XADC": 0.002, "PS7": 1.283,
    }  # fmt: skip
    assert found.header.version == "2019.1"


# No real files of these forms are at hand: written after how AMD and others describe them.
HEAD = "| Tool Version : Vivado v.{version} (lin64) Build 1 Fri\n| Design State : Routed\n"
VERSAL = """
+-------------------+-------+-------+------------+-----------+-------+
|     Site Type     |  Used | Fixed | Prohibited | Available | Util% |
+-------------------+-------+-------+------------+-----------+-------+
| Registers         | 60653 |    16 |          0 |   1799680 |  3.37 |
| CLB LUTs          | 17535 |     0 |          0 |    899840 |  1.95 |
| LOOKAHEAD8        |     3 |     0 |          0 |    112480 | <0.01 |
| Block RAM Tile    |  29.5 |     0 |          0 |       967 |  3.05 |
|   RAMB18*         |     1 |     0 |          0 |      1934 |  0.05 |
| DSP Slices        |  1024 |     0 |          0 |      1968 | 52.03 |
+-------------------+-------+-------+------------+-----------+-------+
"""
HIERARCHY = """
+-----------+--------+------------+------------+---------+------+-----+--------+--------+------------+
|  Instance | Module | Total LUTs | Logic LUTs | LUTRAMs | SRLs | FFs | RAMB36 | RAMB18 | DSP Blocks |
+-----------+--------+------------+------------+---------+------+-----+--------+--------+------------+
| top       |  (top) |         91 |         80 |      10 |    1 | 151 |      2 |      1 |          4 |
|   (top)   |  (top) |         11 |         11 |       0 |    0 |  51 |      0 |      0 |          0 |
|   MVAU_i  |   MVAU |         80 |         69 |      10 |    1 | 100 |      2 |      1 |          4 |
|     inner |  inner |         70 |         60 |      10 |    5 |  90 |      2 |      1 |          4 |
+-----------+--------+------------+------------+---------+------+-----+--------+--------+------------+
"""


def as_xml(table: str) -> str:
    def row(line: str, tag: str) -> str:
        cells = [cell.removeprefix(" ").rstrip() for cell in line.strip("|").split("|")]
        said = "".join(f'<{tag} contents="{cell}"/>' for cell in cells)
        return f"<tablerow>{said}</tablerow>"

    head, *lines = [line for line in table.splitlines() if line.startswith("|")]
    rows = row(head, "tableheader") + "".join(row(line, "tablecell") for line in lines)
    return f'<?xml version="1.0"?><RptDoc><section title="Hierarchy"><table>{rows}</table></section></RptDoc>'


def test_versal_with_half_a_block_ram_and_a_share_below_what_is_printed() -> None:
    found = read_utilization(HEAD.format(version="2024.2") + VERSAL)
    assert found.used == {"FF": 60_653, "LUT": 17_535, "CARRY": 3, "BRAM": 29.5, "BRAM_18K": 1, "DSP": 1024}
    assert found.warnings == ()


def test_a_count_whose_share_is_another_one_is_absent() -> None:
    found = read_utilization(HEAD.format(version="2024.2") + VERSAL.replace("| 17535 |", "| 17635 |"))
    assert "LUT" not in found.used
    assert found.used["FF"] == 60_653
    assert any("LUT" in text for text in found.warnings)


def test_a_version_whose_reports_are_not_known_is_said() -> None:
    found = read_utilization(HEAD.format(version="2031.1") + VERSAL)
    assert any("2031.1" in text for text in found.warnings)


@pytest.mark.parametrize("read", [read_hierarchy, lambda text: read_hierarchy_xml(as_xml(text))], ids=["text", "xml"])
def test_what_each_instance_takes(read) -> None:  # type: ignore[no-untyped-def]
    found = read(HIERARCHY)
    assert found.top.used == {
        "LUT": 91, "LUT_LOGIC": 80, "LUTRAM": 10, "SRL": 1, "FF": 151, "BRAM_36K": 2, "BRAM_18K": 1, "DSP": 4,
    }  # fmt: skip
    assert found.resources_of("MVAU_i")["LUT"] == 80
    assert [row.depth for row in found.instances] == [0, 1, 1, 2]
    # 60 + 10 + 5 is not 70: which of them is wrong cannot be known.
    assert found.resources_of("inner") == {"FF": 90, "BRAM_36K": 2, "BRAM_18K": 1, "DSP": 4}
    assert found.resources_of("nothing") == {}


def test_columns_in_an_order_that_vivado_does_not_write_are_refused() -> None:
    swapped = HIERARCHY.replace("| FFs | RAMB36 |", "| RAM | FFs    |").replace("| RAM |", "| RAMB36 |")
    assert read_hierarchy(swapped).instances == ()
    renamed = as_xml(HIERARCHY).replace('"FFs"', '"x"').replace('"RAMB36"', '"FFs"').replace('"x"', '"RAMB36"')
    found = read_hierarchy_xml(renamed)
    assert found.instances == ()
    assert any("order" in text for text in found.warnings)


def test_xml_that_is_not_whole_says_nothing() -> None:
    assert read_hierarchy_xml(as_xml(HIERARCHY)[:-20]).instances == ()
    assert read_hierarchy_xml("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>").instances == ()


def test_high_bandwidth_memory_and_a_note_beside_the_total() -> None:
    summary = """
+-------------------------+----------------------------------+
| Total On-Chip Power (W) | 47.395 (Junction temp exceeded!) |
| FPGA Power (W)          | 43.000                           |
| HBM Power (W)           | 4.395                            |
| Dynamic (W)             | 40.395                           |
| Device Static (W)       | 7.000                            |
+-------------------------+----------------------------------+
"""
    found = read_power(HEAD.format(version="2022.2") + summary)
    assert (found.total_w, found.dynamic_w, found.static_w) == (47.395, 40.395, 7.0)
    assert found.warnings == ("Total On-Chip Power (W): Junction temp exceeded!",)
    wrong = read_power(HEAD.format(version="2022.2") + summary.replace("40.395", "20.395"))
    assert wrong.total_w is None
    assert any("add up" in text for text in wrong.warnings)


TIMING_HEAD = """
    WNS(ns)      TNS(ns)  TNS Failing Endpoints  TNS Total Endpoints      WHS(ns)
    -------      -------  ---------------------  -------------------      -------
"""


@pytest.mark.parametrize(
    ("row", "wns", "met"),
    [
        ("  1.5  0.000  0  12  0.1", 1.5, True),
        ("  0.5  0.000  0  12  -0.1", 0.5, False),
        ("  inf  0.000  0  0  inf", None, None),
        ("  NA  NA  NA  NA  NA\n\nAll user specified timing constraints are met.", None, None),
        ("  1.5  0.000  0  12  0.1\n\nTiming constraints are not met.", None, None),
        ("  -1.5  0.000  0  12  0.1", None, None),
        ("  1.5  0.000  0", None, None),
    ],
)
def test_timing_is_met_only_when_something_was_checked(row: str, wns: float | None, met: bool | None) -> None:
    summary = read_timing(f"{TIMING_HEAD}{row}\n")
    assert summary is not None
    assert (summary.wns_ns, summary.met) == (wns, met)


def test_what_each_task_reached_without_what_it_does_not_say() -> None:
    text = """{"Report Information": {"Tool Version": "Vivado v.2025.1 (lin64)", "Design State": "Routed"},
      "Design QoR Summary": [{"Task Name": "place_design", "WNS(ns)": "", "TNS(ns)": "-", "Directives": "Explore"},
      {"Task Name": "route_design", "WNS(ns)": "-0.686", "TNS(ns)": "-831", "Runtime(mins)": "4"}]}"""
    found = read_qor(text)
    place, route = found.tasks
    assert (place.directive, place.wns_ns, place.tns_ns) == ("Explore", None, None)
    assert (route.wns_ns, route.tns_ns, route.minutes, route.directive) == (-0.686, -831, 4, None)
    assert found.header.version == "2025.1"
    assert read_qor(text[:-3]).tasks == ()
    assert read_qor("[1]").tasks == ()
