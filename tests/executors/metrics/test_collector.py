"""Metrics from reports: real ones, damaged ones, and what is not there."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from bskernel_executors.devices.resources import find_device, list_boards
from bskernel_executors.exchange.budget_check import BudgetCheck, BudgetedResource
from bskernel_executors.exchange.report_makers import MADE_BY
from bskernel_executors.exchange.simulation import Simulation
from bskernel_executors.exchange.synthesis import CellSynthesis, Implementation, TimedSynthesis
from bskernel_executors.metrics.collector import collect_metrics
from bskernel_executors.metrics.headroom import find_headroom
from bskernel_executors.metrics.model import BuildMetrics, Value
from bskernel_executors.metrics.reconciliation import make_reconciliation_table, make_summary_rows
from bskernel_executors.metrics.reports import REPORTS, parse_number, read_reports
from bskernel_executors.metrics.timing_check import check_timing
from bskernel_executors.sdk import StepFailure
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DATA = Path(__file__).parents[1] / "reports"


def write(output: Path, **reports: Any) -> Path:
    (output / "report").mkdir(parents=True, exist_ok=True)
    for name, content in reports.items():
        (output / "report" / f"{name}.json").write_text(json.dumps(content))
    return output


VIVADO: dict[str, Any] = {"tool": "Vivado 2024.2 build 5239630", "part": "xc7z020clg400-1", "clock_ns": 5.0}


def simulated(**measured: Any) -> Simulation:
    """A simulation without FIFOs that took 1000 cycles, but for what is given."""
    values: dict[str, Any] = {"frames": 100, "mismatches": 0, "cycles_per_frame": 4000.0, "estimated_cycles": 4000}
    values |= {"latency_cycles": 1000, "total_cycles": 1000, "fifo_maxima": {}, "fifo_depths": {}, "fifo_bits": 0}
    return Simulation(**(values | {"streams": {}} | measured))


def timed(**reported: Any) -> TimedSynthesis:
    return TimedSynthesis(**({"stage": "synth"} | VIVADO | reported))


def routed(**reported: Any) -> Implementation:
    return Implementation(**({"stage": "routed"} | VIVADO | reported))


def values(found: tuple[Value, ...]) -> list[tuple[float, str, str]]:
    return [(value.value, value.unit, value.stage) for value in found]


def test_no_report_gives_no_number(tmp_path: Path) -> None:
    metrics = collect_metrics(read_reports(tmp_path), None)
    assert metrics == BuildMetrics(warnings=("no report was found: no metrics",))


def finn_plus_build(tmp_path: Path, name: str) -> Path:
    """FINN+'s own summary of a build that was carried out on a board, laid out again as its reports."""
    summary = json.loads((DATA / name).read_text())
    reports = {
        "estimate_network_performance": summary["estimate"]["performance"],
        "estimate_layer_resources": {"total": summary["estimate"]["resources"]},
        "post_synth_resources": {"(top)": summary["synth"]["resources"]},
        "fifo_sizing": summary["fifosizing"],
        "time_per_step": summary["time"],
        **{key: content for key, content in summary.get("measurement", {}).items() if key.startswith("report_")},
    }
    return write(tmp_path, **reports)


def test_a_build_that_was_measured_has_each_stage_beside_the_others(tmp_path: Path) -> None:
    reports = read_reports(finn_plus_build(tmp_path, "metrics_cnv_measured.json"))
    metrics = collect_metrics(reports, 10.0, part="xczu28dr-ffvg1517-2-e")
    assert values(metrics.throughput) == [
        (868.0555555555555, "inferences/s", "estimate"),
        (765, "inferences/s", "measured"),
    ]
    assert values(metrics.latency) == [(8671.4, "us", "estimate"), (4971.9, "us", "measured")]
    assert [(round(value.value, 6), value.stage) for value in metrics.accuracy] == [(0.8863, "measured")]
    assert values(metrics.resources["LUT"]) == [(19756, "count", "estimate"), (36855, "count", "routed")]
    # 16 halves and 99 whole tiles of 1080
    assert metrics.utilization["BRAM"][1].value == pytest.approx((8 + 99) / 1080)
    assert metrics.bottleneck == "MVAU_hls_3"


def test_a_board_gives_the_totals_of_its_part(tmp_path: Path) -> None:
    reports = read_reports(finn_plus_build(tmp_path, "metrics_vgg10_rfsoc2x2_2024.2.json"))
    metrics = collect_metrics(reports, None, board="RFSoC2x2")
    assert metrics.utilization["LUT"][1].value == pytest.approx(96818 / 425280)
    assert metrics.utilization["DSP"][1].value == pytest.approx(1098 / 4272)
    assert metrics.accuracy == ()
    table = make_reconciliation_table(metrics)
    assert table is not None
    assert table["columns"][-2:] == ["routed", "of the device"]
    assert [row[-2:] for row in table["rows"] if row[0] == "LUT"] == [["96,818 (9.11x)", "22.77%"]]


def test_every_board_that_finn_knows_has_totals() -> None:
    for board, part in list_boards().items():
        assert find_device(None, board) == find_device(part, None) is not None


def test_a_part_that_is_not_known_is_said_and_gives_no_utilization(tmp_path: Path) -> None:
    write(tmp_path, estimate_layer_resources={"total": {"LUT": 10}})
    metrics = collect_metrics(read_reports(tmp_path), None, part="xc9nosuch")
    assert metrics.utilization == {}
    assert any("xc9nosuch" in text for text in metrics.warnings)


def test_a_resource_that_a_device_lacks_has_no_fraction(tmp_path: Path) -> None:
    write(tmp_path, estimate_layer_resources={"total": {"LUT": 10, "URAM": 0}})
    metrics = collect_metrics(read_reports(tmp_path), None, board="Pynq-Z2")
    assert set(metrics.utilization) == {"LUT"}


def test_small_block_rams_of_a_device_of_lattices_are_shares_of_its_own() -> None:
    synthesis = CellSynthesis(
        tool="Yosys 0.70", family="ice40", design={"LUT": 528, "BRAM_4K": 6}, layers={}, differences=()
    )
    metrics = collect_metrics(
        {"estimate_layer_resources.json": {"total": {"BRAM_18K": 3}}},
        None,
        part="iCE40UP5K-SG48I",
        synthesis=synthesis,
    )
    assert metrics.device == {"LUT": 5_280, "FF": 5_280, "BRAM_36K": 0, "BRAM_4K": 30, "URAM": 0, "DSP": 8}
    assert {value.stage: value.value for value in metrics.utilization["BRAM"]} == {
        "estimate": pytest.approx(3 * 4.5 / 30),
        "synth": pytest.approx(6 / 30),
    }
    table = make_reconciliation_table(metrics)
    assert table is not None
    assert {row[0]: row[-1] for row in table["rows"]} == {"BRAM_18K": "", "BRAM_4K": "20.00%", "LUT": "10.00%"}
    assert find_headroom(metrics).binding == "BRAM"


def test_what_hls_does_not_know_is_absent(tmp_path: Path) -> None:
    layers = {"a": {"LUT": "120", "FF": "7", "DSP": 0}, "b": {"LUT": "30", "FF": 0, "DSP": 0}}
    write(tmp_path, estimate_layer_resources_hls=layers)
    metrics = collect_metrics(read_reports(tmp_path), None)
    assert values(metrics.resources["LUT"]) == [(150, "count", "hls")]
    assert values(metrics.resources["FF"]) == [(7, "count", "hls")]
    assert "DSP" not in metrics.resources


def test_what_hls_reports_in_numbers_counts_where_a_report_was(tmp_path: Path) -> None:
    unknown = {"BRAM_18K": 0, "FF": 0, "LUT": 0, "DSP48E": 0, "URAM": 0}
    told = {**unknown, "LUT": 7, "DSP": 0}
    write(tmp_path, estimate_layer_resources_hls={"a": told, "b": told, "c": unknown, "total": {**told, "LUT": 14}})
    resources = collect_metrics(read_reports(tmp_path), None).resources
    assert values(resources["LUT"]) == [(14, "count", "hls")]
    assert values(resources["DSP"]) == [(0, "count", "hls")]
    write(tmp_path, estimate_layer_resources_hls={"c": unknown, "total": unknown})
    assert collect_metrics(read_reports(tmp_path), None).resources == {}


def test_power_is_told_by_how_the_activity_was_found(tmp_path: Path) -> None:
    summary = {"power_25_0.5_total": 1.5, "power_sim_total": 1.25, "power_sim_static": 0.5}
    write(tmp_path, power_estimate_summary=summary)
    metrics = collect_metrics(read_reports(tmp_path), None)
    assert values(metrics.power) == [(1.25, "W", "routed"), (1.5, "W", "routed")]
    assert metrics.power[0].source == "report/power_estimate_summary.json:power_sim_total"


def test_what_was_simulated_stands_beside_the_estimate_with_its_ratio(tmp_path: Path) -> None:
    write(
        tmp_path, estimate_network_performance={"estimated_throughput_fps": 100_000, "estimated_latency_ns": 10_000}
    )
    simulation = simulated(cycles_per_frame=4000.0, latency_cycles=1000, accuracy=0.9)
    metrics = collect_metrics(read_reports(tmp_path), 5.0, simulation=simulation)
    assert values(metrics.throughput) == [(100_000, "inferences/s", "estimate"), (50_000, "inferences/s", "rtlsim")]
    assert values(metrics.latency) == [(10, "us", "estimate"), (5, "us", "rtlsim")]
    assert [(row.quantity, row.ratios) for row in metrics.reconciliation] == [
        ("throughput", {"rtlsim": 0.5}),
        ("latency", {"rtlsim": 0.5}),
    ]
    assert {"label": "accuracy", "value": "90.00%", "note": "rtlsim"} in make_summary_rows(metrics)


def test_a_table_shows_each_stage_that_exists_and_no_number_is_told_twice(tmp_path: Path) -> None:
    write(
        tmp_path,
        estimate_network_performance={"estimated_throughput_fps": 100_000},
        estimate_layer_resources={"total": {"LUT": 100}},
        ooc_synth_and_timing={"LUT": 450},
        post_synth_resources={"(top)": {"LUT": 500}},
    )
    counts = {"LUT": 300, "FF": 0}
    synthesis = CellSynthesis(tool="Yosys 0.70", family="xcup", design=counts, layers={}, differences=())
    found = collect_metrics(read_reports(tmp_path), 5.0, simulation=simulated(), synthesis=synthesis)
    assert make_reconciliation_table(found) == {
        "title": "estimate and later stages (multiple of the estimate)",
        "columns": ["quantity", "unit", "estimate", "rtlsim", "synth", "routed"],
        "rows": [
            ["throughput", "inferences/s", "100,000", "50,000 (0.5x)", "", ""],
            ["latency", "us", "", "5", "", ""],
            ["FF", "count", "", "", "0", ""],
            ["LUT", "count", "100", "", "300 (3x)", "500 (5x)"],
        ],
    }
    # The design alone was routed before the whole one: its number is in a row.
    rows = [(row["label"], row["value"], row["note"]) for row in make_summary_rows(found)]
    assert rows == [("clock", "200 MHz", "estimate"), ("FIFO memory", "0 KiB", "rtlsim"), ("LUT", "450", "routed")]


def test_estimates_alone_are_rows_and_no_table(tmp_path: Path) -> None:
    write(
        tmp_path,
        estimate_network_performance={"estimated_throughput_fps": 100_000},
        estimate_layer_resources={"total": {"LUT": 100}},
    )
    metrics = collect_metrics(read_reports(tmp_path), None)
    assert make_reconciliation_table(metrics) is None
    assert [row["value"] for row in make_summary_rows(metrics)] == ["100,000 inferences/s", "100"]


def test_a_layer_has_cycles_folding_and_resources(tmp_path: Path) -> None:
    write(
        tmp_path,
        estimate_layer_cycles={"MVAU_0": 64},
        estimate_layer_resources={"MVAU_0": {"LUT": 12, "BRAM_efficiency": 0.5}, "total": {"LUT": 12}},
        final_hw_config={"Defaults": {}, "MVAU_0": {"PE": 4, "SIMD": 2}},
        estimate_network_performance={"max_cycles_node_name": "MVAU_0"},
    )
    (layer,) = collect_metrics(read_reports(tmp_path), None).layers
    assert (layer.cycles, layer.folding, layer.resources["LUT"], layer.bottleneck) == (
        64,
        {"PE": 4, "SIMD": 2},
        12,
        True,
    )


def test_a_folding_that_was_applied_replaces_the_one_that_finn_found(tmp_path: Path) -> None:
    write(
        tmp_path,
        estimate_layer_cycles={"MVAU_0": 64},
        auto_folding_config={"Defaults": {}, "MVAU_0": {"PE": 1, "SIMD": 1}},
        applied_folding_config={"Defaults": {}, "MVAU_0": {"PE": 4, "SIMD": 2}},
    )
    (layer,) = collect_metrics(read_reports(tmp_path), None).layers
    assert layer.folding == {"PE": 4, "SIMD": 2}


def test_the_slack_of_a_routed_design_that_misses_its_clock(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    text = (DATA / "artix7_timing_summary.rpt").read_text()
    (tmp_path / "report" / "post_route_timing.rpt").write_text(text)
    metrics = collect_metrics(read_reports(tmp_path), None)
    assert values(metrics.slack) == [(-3.463, "ns", "routed")]
    assert metrics.timing_met is False
    assert any("timing is not met" in text for text in metrics.warnings)


def test_a_budget_is_compared_with_what_was_predicted_then_synthesised_then_routed() -> None:
    check = BudgetCheck(
        tool="Yosys 0.70",
        resources={
            "LUT": BudgetedResource(device=1000, budget=500, predicted=400, counted=450),
            "pins": BudgetedResource(device=90, budget=50, predicted=45, counted=40),
        },
    )
    metrics = collect_metrics({}, None, budget=check, implementation=routed(design={"LUT": 550, "DSP": 3}))
    assert values(metrics.budget["LUT"]) == [
        (0.8, "fraction", "estimate"),
        (0.9, "fraction", "synth"),
        (1.1, "fraction", "routed"),
    ]
    assert [value.stage for value in metrics.budget["pins"]] == ["estimate", "synth"]
    assert [value.value for value in metrics.budget["worst"]] == [0.9, 0.9, 1.1]
    alone = collect_metrics({}, None, budget=check)
    assert [value.stage for value in alone.budget["worst"]] == ["estimate", "synth"]


def test_what_vivado_found_is_told_with_its_version(tmp_path: Path) -> None:
    write(tmp_path, estimate_layer_resources={"total": {"LUT": 100}})
    tool = "Vivado 2024.2 build 5239630"
    counted = timed(design={"LUT": 150.0}, wns_ns=1.0)
    placed = routed(design={"LUT": 120.0}, wns_ns=-0.5, met=False, fmax_mhz=180.0, power_w=0.75)
    metrics = collect_metrics(read_reports(tmp_path), 5.0, synthesis=counted, implementation=placed)
    assert [(value.value, value.stage, value.source) for value in metrics.resources["LUT"]] == [
        (100, "estimate", "report/estimate_layer_resources.json"),
        (150, "synth", f"synthesis.json ({tool})"),
        (120, "routed", f"implementation.json ({tool})"),
    ]
    assert values(metrics.slack) == [(1.0, "ns", "synth"), (-0.5, "ns", "routed")]
    assert values(metrics.power) == [(0.75, "W", "routed")]
    assert values(metrics.clock)[-1] == (180.0, "MHz", "routed")
    assert metrics.timing_met is False
    assert [row.ratios for row in metrics.reconciliation if row.quantity == "LUT"] == [{"synth": 1.5, "routed": 1.2}]


def test_numbers_of_the_stand_in_for_vivado_are_marked_wherever_they_are_shown(tmp_path: Path) -> None:
    write(tmp_path, estimate_layer_resources={"total": {"LUT": 100}})
    found = {"tool": "STAND-IN for Vivado 2024.2", "stand_in": True, "design": {"LUT": 7.0}, "wns_ns": 1.0}
    reports, part = read_reports(tmp_path), "xc7z020clg400-1"
    metrics = collect_metrics(reports, None, part, synthesis=timed(**found), implementation=routed(**found))
    assert {value.source for value in (*metrics.resources["LUT"][1:], *metrics.slack)} == {
        "stand-in (synthesis.json)",
        "stand-in (implementation.json)",
    }
    assert {row["note"] for row in make_summary_rows(metrics) if row["label"] in {"LUT", "worst slack"}} == {
        "stand-in, not hardware",
        "estimate",
    }
    assert (make_reconciliation_table(metrics), find_headroom(metrics).judged) == (
        None,
        "estimate: report/estimate_layer_resources.json",
    )
    with pytest.raises(StepFailure, match="no report says"):
        check_timing(metrics, 5.0)
    assert any("they are no results" in text for text in metrics.warnings)


def test_slack_before_placement_neither_meets_a_clock_nor_misses_it(tmp_path: Path) -> None:
    missed, met = {"wns_ns": -0.2}, {"wns_ns": 0.1, "met": True}
    with pytest.raises(StepFailure, match="no report says"):
        check_timing(collect_metrics({}, 5.0, synthesis=timed(**missed)), 5.0)
    check_timing(collect_metrics({}, 5.0, synthesis=timed(**missed), implementation=routed(**met)), 5.0)
    with pytest.raises(StepFailure, match="timing is not met"):
        check_timing(collect_metrics({}, 5.0, synthesis=timed(**met), implementation=routed(**missed)), 5.0)


def test_a_timing_report_without_a_summary_is_named(tmp_path: Path) -> None:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "post_route_timing.rpt").write_text("Vivado v2024.2\n")
    with pytest.raises(StepFailure, match=r"post_route_timing\.rpt"):
        read_reports(tmp_path)


@given(name=st.sampled_from((*REPORTS, MADE_BY)), data=st.binary(max_size=60))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_report_is_named_or_gives_nothing_wrong(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / "report").mkdir(exist_ok=True)
    path = tmp_path / "report" / name
    path.write_bytes(data)
    said = name
    try:
        collect_metrics(read_reports(tmp_path), None)
    except StepFailure as error:
        said = str(error)
    path.unlink()
    assert name in said


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["total", "(top)", "LUT", "WNS", "MVAU_0", "max_cycles_node_name", "estimated_latency_ns"])


@given(st.dictionaries(st.sampled_from((*REPORTS, MADE_BY)), st.dictionaries(KEYS, JSON, max_size=5), max_size=4))
def test_reports_of_any_shape_give_finite_numbers_or_none(reports: dict[str, dict[str, Any]]) -> None:
    metrics = collect_metrics(reports, None)
    found = [value for row in metrics.resources.values() for value in row]
    for value in (*metrics.throughput, *metrics.latency, *metrics.slack, *found):
        assert math.isfinite(value.value)


@pytest.mark.parametrize("value", [None, True, "NA", "", "nan", "inf", [], {}])
def test_what_is_no_number_is_none(value: object) -> None:
    assert parse_number(value) is None


STAND_IN_MADE = dict.fromkeys(
    ("ooc_synth_and_timing.json", "post_route_timing.rpt"), "Vivado STAND-IN 2024.2 build 7"
)


def test_finn_s_reports_of_the_stand_in_are_marked_by_what_made_them(tmp_path: Path) -> None:
    ooc = {"LUT": 7, "WNS": 0.5, "fmax_mhz": 222.0, "total_power_W": 2.0}
    write(tmp_path, ooc_synth_and_timing=ooc, post_synth_resources={"(top)": {"LUT": 9}}, made_by=STAND_IN_MADE)
    metrics = collect_metrics(read_reports(tmp_path), 5.0)
    luts = [(value.value, value.source) for value in metrics.resources["LUT"]]
    assert luts == [(7, "stand-in (report/ooc_synth_and_timing.json)"), (9, "report/post_synth_resources.json")]
    assert all(value.is_stand_in for value in (*metrics.slack, *metrics.power, metrics.clock[-1]))
    assert any("they are no results" in text for text in metrics.warnings)
    assert not collect_metrics(read_reports(tmp_path) | {"made_by.json": {}}, 5.0).slack[0].is_stand_in


def test_the_stand_in_may_say_that_a_clock_is_missed_and_not_that_it_is_met(tmp_path: Path) -> None:
    for slack, category in ((-0.5, "timing"), (0.5, "metrics")):
        write(tmp_path, ooc_synth_and_timing={"WNS": slack}, made_by=STAND_IN_MADE)
        with pytest.raises(StepFailure) as caught:
            check_timing(collect_metrics(read_reports(tmp_path), 5.0), 5.0)
        assert caught.value.failure.category == category
        assert "stand-in" in caught.value.failure.message


def test_what_finn_computes_from_a_slack_that_no_report_says_is_absent(tmp_path: Path) -> None:
    computed = {"fmax_mhz": 200.0, "estimated_throughput_fps": 4.0}
    write(tmp_path, ooc_synth_and_timing={"LUT": 7, **computed})
    metrics = collect_metrics(read_reports(tmp_path), 5.0)
    assert (len(metrics.clock), metrics.throughput) == (1, ())
    write(tmp_path, ooc_synth_and_timing={"LUT": 7, "WNS": 0.0, **computed})
    assert collect_metrics(read_reports(tmp_path), 5.0).clock[-1].value == 200.0
