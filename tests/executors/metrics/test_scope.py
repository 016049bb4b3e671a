"""What the numbers are of: share of the network, frames, target."""

from typing import Any

import pytest
from bskernel_executors.exchange.coverage import Coverage, CoveredNode, measure_parts
from bskernel_executors.metrics.breakdown import break_down
from bskernel_executors.metrics.collector import collect_metrics
from bskernel_executors.metrics.reconciliation import make_summary_rows

REPORTS: dict[str, Any] = {
    "estimate_network_performance.json": {
        "estimated_throughput_fps": 1000.0,
        "estimated_latency_ns": 5000.0,
        "max_cycles_node_name": "MVAU_rtl_0",
    },
    "estimate_layer_cycles.json": {"MVAU_rtl_0": 200_000},
    "estimate_layer_resources.json": {"total": {"LUT": 100}},
}
MEASURED = REPORTS | {"report_experiment_instrumentation.json": {"throughput_fps": 900.0}}


def cover(on_host: int, in_hardware: int, frames: int = 1) -> Coverage:
    host = CoveredNode(name="MatMul_0", kind="MatMul", part="head", multiplies=True, macs=on_host)
    layer = CoveredNode(name="MVAU_0", kind="MVAU", part="hardware", multiplies=True, macs=in_hardware)
    nodes = (host, layer) if on_host else (layer,)
    return Coverage(frames=frames, nodes=nodes, parts=measure_parts(nodes))


def test_speed_and_size_of_a_part_of_the_network_say_of_which_part_they_are() -> None:
    metrics = collect_metrics(REPORTS, 5.0, coverage=cover(86, 14))
    assert metrics.hardware_share == pytest.approx(0.14)
    rows = {row["label"]: row["note"] for row in make_summary_rows(metrics)}
    for label in ("throughput", "latency", "LUT"):
        assert rows[label].endswith(", of 14% of the network's MACs"), label
    assert rows["clock"] == "estimate"
    assert "those of 14% of the network's MACs; not in hardware: MatMul_0" in metrics.warnings[0]


@pytest.mark.parametrize("coverage", [None, cover(0, 14)])
def test_numbers_of_the_whole_network_say_nothing_of_parts(coverage: Coverage | None) -> None:
    metrics = collect_metrics(REPORTS, 5.0, coverage=coverage)
    assert not any("MACs" in row["note"] for row in make_summary_rows(metrics))
    assert metrics.warnings == ()


def test_throughput_counts_frames_where_the_network_takes_several_at_once() -> None:
    metrics = collect_metrics(MEASURED, 5.0, coverage=cover(0, 14, frames=4))
    values = {value.stage: value.value for value in metrics.throughput}
    # What is measured on the board counts frames already.
    assert values == {"estimate": 4000.0, "measured": 900.0}
    assert "takes 4 frames at once" in metrics.warnings[0]
    assert break_down(metrics).throughput_fps == pytest.approx(4000.0)


def test_a_missed_target_is_a_warning_with_both_rates_and_the_slowest_layer() -> None:
    (warning,) = collect_metrics(REPORTS, 5.0, target_fps=2000).warnings
    assert warning == (
        "target_fps is missed: wanted 2,000 inferences/s, but the estimate is 1,000; "
        "the slowest layer is MVAU_rtl_0, 200,000 cycles per frame"
    )
    assert collect_metrics(REPORTS, 5.0, target_fps=1000).warnings == ()
    assert collect_metrics({}, 5.0, target_fps=1000).warnings == ("no report was found: no metrics",)


def test_the_target_is_compared_with_the_rate_nearest_to_the_hardware() -> None:
    assert "but the measured is 900" in collect_metrics(MEASURED, 5.0, target_fps=1000).warnings[0]
