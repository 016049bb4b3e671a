"""Analyses of metrics: real reports, numbers worked out by hand, and what must hold for any."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel_executors.dataflow.operators import next_divisor
from bskernel_executors.exchange.bit_widths import BitWidths, Fold, LayerWidths, TensorFormat
from bskernel_executors.metrics.breakdown import break_down
from bskernel_executors.metrics.collector import collect_metrics
from bskernel_executors.metrics.comparison import compare_metrics
from bskernel_executors.metrics.headroom import find_headroom
from bskernel_executors.metrics.model import BuildMetrics, LayerMetrics, Value
from bskernel_executors.metrics.roofline import find_bounds
from bskernel_executors.metrics.tables import describe_excess, show_breakdown, show_comparison, show_headroom
from hypothesis import given
from hypothesis import strategies as st

DATA = Path(__file__).parents[1] / "reports"


def finn_plus(name: str, **target: Any) -> BuildMetrics:
    """Metrics of a build that FINN+ carried out on a board, from its own summary."""
    summary = json.loads((DATA / name).read_text())
    reports = {
        "estimate_network_performance.json": summary["estimate"]["performance"],
        "estimate_layer_resources.json": {"total": summary["estimate"]["resources"]},
        "post_synth_resources.json": {"(top)": summary["synth"]["resources"]},
    }
    return collect_metrics(reports, 10.0, **target)


def clock(mhz: float) -> tuple[Value, ...]:
    return (Value(value=mhz, unit="MHz", stage="estimate", source="target.clock_ns"),)


def layers(**cycles: int) -> tuple[LayerMetrics, ...]:
    return tuple(LayerMetrics(name=name, cycles=count) for name, count in cycles.items())


def mvau(name: str, pe: int, simd: int, mh: int = 32, mw: int = 64, **more: Any) -> LayerWidths:
    """A matrix unit of 4-bit weights and inputs and 12-bit sums, one vector per frame."""
    return LayerWidths(
        name=name,
        operator="MVAU_rtl",
        input=TensorFormat(datatype="UINT4", bits=4, count=mw),
        weights=TensorFormat(datatype="INT4", bits=4, count=mh * mw),
        output=TensorFormat(datatype="INT12", bits=12, count=mh),
        macs=mh * mw,
        macs_per_cycle=pe * simd,
        folding=(
            Fold(parameter="PE", value=pe, of="MH", size=mh),
            Fold(parameter="SIMD", value=simd, of="MW", size=mw),
        ),
        input_width=4 * simd,
        output_width=12 * pe,
        weight_memory=more.get("memory", "internal_decoupled"),
    )


def test_the_bottleneck_has_its_pace_its_target_and_its_next_folding() -> None:
    metrics = BuildMetrics(clock=clock(200), layers=layers(a=1024, b=512, c=64))
    found = break_down(metrics, BitWidths(layers=(mvau("a", 1, 2), mvau("b", 1, 4))), target_fps=200_000)
    assert (found.bottlenecks, found.next_layer, found.next_ratio) == (("a",), "b", 2.0)
    assert found.throughput_fps == 200e6 / 1024
    assert found.meets_target is False
    assert [(step.parameter, step.value, step.next_value, step.cycles) for step in found.steps] == [
        ("PE", 1, 2, 512),
        ("SIMD", 2, 4, 512),
    ]
    assert found.proposed_throughput_fps == 200e6 / 512
    (table,), _ = show_breakdown(found)
    assert table["rows"][0] == ["a", "1024", "64.0%", "100.0%", "PE 1 -> 2; SIMD 2 -> 4"]


def test_of_two_equally_slow_layers_both_must_change() -> None:
    metrics = BuildMetrics(clock=clock(200), layers=layers(a=1024, b=1024, c=600))
    both = break_down(metrics, BitWidths(layers=(mvau("a", 1, 2), mvau("b", 1, 2))))
    assert (both.bottlenecks, both.proposed_interval_cycles) == (("a", "b"), 600)
    one = break_down(metrics, BitWidths(layers=(mvau("a", 1, 2), mvau("b", 32, 64))))
    assert one.proposed_interval_cycles is None  # b cannot be folded out further


def test_a_folding_that_is_not_known_is_said() -> None:
    found = break_down(BuildMetrics(clock=clock(200), layers=layers(a=10)))
    assert found.steps == ()
    assert any("folding of a is unknown" in text for text in found.warnings)


def test_without_cycles_there_is_no_number() -> None:
    found = break_down(BuildMetrics(clock=clock(200)))
    assert (found.layers, found.throughput_fps, found.interval_cycles) == ((), None, None)
    assert found.warnings


@given(st.dictionaries(st.text(min_size=1, max_size=4), st.integers(0, 10**9), min_size=1))
def test_shares_sum_to_one_and_the_bottleneck_is_always_busy(cycles: dict[str, int]) -> None:
    found = break_down(BuildMetrics(clock=clock(100), layers=layers(**cycles)))
    if any(cycles.values()):
        assert sum(layer.share for layer in found.layers) == pytest.approx(1)
        assert max(layer.busy for layer in found.layers) == 1
        assert {layer.name for layer in found.layers if layer.busy == 1} == set(found.bottlenecks)
        assert found.next_cycles is None or found.next_cycles < max(cycles.values())
    else:
        assert found.layers == ()


@given(st.integers(1, 500), st.integers(1, 500))
def test_the_next_divisor_divides_and_none_lies_between(of: int, value: int) -> None:
    found = next_divisor(of, value)
    between = range(value + 1, of + 1 if found is None else found)
    assert not any(of % number == 0 for number in between)
    assert found is None or (found > value and of % found == 0)


def test_headroom_of_a_design_that_was_routed() -> None:
    found = find_headroom(finn_plus("metrics_vgg10_rfsoc2x2_2024.2.json", board="RFSoC2x2"), limit=0.8)
    assert found.judged == "routed: report/post_synth_resources.json"
    lut, dsp = found.use("LUT"), found.use("DSP")
    assert (lut.used, lut.available, lut.left) == (96818, 425280, 425280 - 96818)
    assert dsp.fraction == pytest.approx(1098 / 4272)
    # What is used most binds.
    fractions = {use.resource: use.fraction or 0 for use in found.resources if use.stage == "routed"}
    assert found.binding == max(fractions, key=lambda name: fractions[name])
    assert found.copies == int(0.8 / max(fractions.values()))
    assert describe_excess(found) is None


def test_a_design_above_the_limit_is_a_failure_with_numbers_and_its_largest_layers() -> None:
    metrics = finn_plus("metrics_vgg10_rfsoc2x2_2024.2.json", board="RFSoC2x2")
    big = LayerMetrics(name="MVAU_3", resources={"LUT": 900.0})
    small = LayerMetrics(name="MVAU_1", resources={"LUT": 100.0})
    failure = describe_excess(find_headroom(msgspec.structs.replace(metrics, layers=(small, big)), limit=0.22))
    assert failure is not None
    assert failure.failure.category == "resource"
    assert "LUT 96,818 of 425,280 (22.8%)" in str(failure)
    assert "more than 22% of the device" in str(failure)
    assert failure.failure.cause[0] == "LUT: MVAU_3 uses 900 (estimate)"


def test_an_unknown_part_has_use_and_no_headroom() -> None:
    found = find_headroom(finn_plus("metrics_vgg10_rfsoc2x2_2024.2.json", part="xc9nosuch"), limit=0.1)
    assert {(use.available, use.fraction, use.left, use.fits) for use in found.resources} == {(None,) * 4}
    assert (found.binding, found.copies, found.exceeding) == (None, None, ())
    assert "the resources of the device are unknown" in found.warnings[0]


def test_what_a_device_lacks_and_a_design_needs_is_an_excess() -> None:
    metrics = collect_metrics({"estimate_layer_resources.json": {"total": {"URAM": 2}}}, 5.0, board="Pynq-Z1")
    found = find_headroom(metrics)
    assert (found.exceeding, found.copies, found.use("URAM").left) == (("URAM",), 0, -2)
    assert found.use("URAM").fraction is None


@given(
    st.dictionaries(st.sampled_from(["LUT", "DSP", "BRAM_18K", "BRAM_36K"]), st.integers(0, 10**7), min_size=1),
    st.floats(0.01, 1),
)
def test_fractions_what_is_left_and_what_fits_agree(counts: dict[str, int], limit: float) -> None:
    found = find_headroom(
        collect_metrics({"estimate_layer_resources.json": {"total": counts}}, 5.0, board="ZCU104"), limit
    )
    for use in found.resources:
        assert use.available is not None
        assert use.fraction is not None
        assert use.left is not None
        assert use.fraction + use.left / use.available == pytest.approx(1)
        assert (use.fits is None) == (use.used == 0)
        assert use.fits is None or use.fits * use.fraction == pytest.approx(1)
        assert (use.resource in found.exceeding) == (use.used > limit * use.available)
    assert show_headroom(found)[0]
    if found.copies is not None:
        assert (found.copies == 0) == bool(found.exceeding)


def test_roofs_are_those_worked_out_by_hand() -> None:
    # 64 x 32 at 2 MACs per cycle and 200 MHz: 1024 cycles; 32 bytes in, 48 out.
    (layer,) = find_bounds(BuildMetrics(clock=clock(200)), BitWidths(layers=(mvau("a", 1, 2),))).layers
    assert layer.roofs_fps == {
        "compute": 200e6 / 1024,
        "input stream": 200e6 / 32,
        "output stream": 200e6 / 32,
    }
    assert (layer.operations, layer.stream_bytes, layer.intensity) == (4096, 80, 51.2)
    assert (layer.bound, layer.peak_gops) == ("compute", 0.8)
    assert layer.attainable_gops == pytest.approx(0.8)


def test_a_layer_that_computes_faster_than_it_is_fed_is_bound_by_its_stream() -> None:
    # Of 32 outputs of 12 bits one leaves in a cycle, while all 64 inputs are taken in two.
    wide = mvau("a", 1, 2)
    layer = msgspec.structs.replace(wide, macs_per_cycle=2048, input_width=4 * 32)
    found = find_bounds(BuildMetrics(clock=clock(200)), BitWidths(layers=(layer,)))
    assert found.bounds == ("a: output stream",)
    assert found.attainable_fps == 200e6 / 32


def test_external_weights_are_bound_by_the_memory() -> None:
    # Each of 2048 MACs takes 4 bits: 1024 bytes; with 32 bytes in and 48 out 1104 cross the boundary.
    layer = mvau("a", 32, 64, memory="external")
    assert layer.input is not None
    assert layer.output is not None
    widths = BitWidths(layers=(layer,), inputs=(layer.input,), outputs=(layer.output,))
    found = find_bounds(BuildMetrics(clock=clock(200)), widths, memory_gb_s=1.0)
    assert found.layers[0].roofs_fps["external memory"] == 1e9 / 1024
    assert found.external_bytes == 1104
    assert found.attainable_fps == 1e9 / 1104
    assert found.bounds == ("external memory",)
    assert found.intensity == 4096 / 1104


def test_without_a_bandwidth_memory_bounds_nothing_and_that_is_said() -> None:
    found = find_bounds(BuildMetrics(clock=clock(200)), BitWidths(layers=(mvau("a", 1, 2, memory="external"),)))
    assert "external memory" not in found.layers[0].roofs_fps
    assert any("memory_gb_s" in text for text in found.warnings)


@pytest.mark.parametrize(
    ("metrics", "widths", "text"),
    [
        (BuildMetrics(), BitWidths(layers=(mvau("a", 1, 2),)), "no clock"),
        (BuildMetrics(clock=clock(200)), BitWidths(layers=(LayerWidths(name="Conv_0", operator="Conv"),)), "folded"),
        (BuildMetrics(clock=clock(200), layers=layers(b=3)), BitWidths(layers=(mvau("a", 1, 2),)), "another graph"),
    ],
)
def test_what_cannot_be_bounded_is_said(metrics: BuildMetrics, widths: BitWidths, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        find_bounds(metrics, widths)


def test_estimates_of_another_folding_are_told() -> None:
    metrics = BuildMetrics(clock=clock(200), layers=layers(a=4096))
    found = find_bounds(metrics, BitWidths(layers=(mvau("a", 1, 2),)))
    assert any("FINN estimates 4,096 cycles, but the folding gives 1,024" in text for text in found.warnings)


def test_two_real_builds_side_by_side() -> None:
    ours = finn_plus("metrics_vgg10_rfsoc2x2_2024.2.json", board="RFSoC2x2")
    theirs = finn_plus("metrics_cnv_measured.json", board="RFSoC2x2")
    found = compare_metrics(ours, theirs)
    routed = next(value for value in found.values if (value.quantity, value.stage) == ("LUT", "routed"))
    assert (routed.ours, routed.theirs, routed.ratio) == (96818, 36855, 96818 / 36855)
    assert {value.unit for value in found.values if value.quantity == "LUT"} == {"count"}
    assert show_comparison(found)[0][0]["columns"][2:5] == ["ours", "theirs", "ratio"]


def test_what_one_build_lacks_is_absent_and_named() -> None:
    ours = BuildMetrics(clock=clock(200), accuracy=(Value(value=0.9, unit="fraction", stage="rtlsim", source="a"),))
    theirs = BuildMetrics(clock=clock(100), slack=(Value(value=0, unit="ns", stage="routed", source="b"),))
    found = compare_metrics(ours, theirs)
    assert (found.only_ours, found.only_theirs) == (("accuracy at rtlsim",), ("slack at routed",))
    assert [(value.quantity, value.ours, value.theirs, value.ratio) for value in found.values] == [
        ("clock", 200, 100, 2.0),
        ("accuracy", 0.9, None, None),
        ("slack", None, 0, None),
    ]
    assert "theirs" not in json.loads(msgspec.json.encode(found))["values"][1]


def test_a_ratio_to_zero_is_absent_and_values_of_one_stage_are_told_apart_by_source() -> None:
    def power(*values: float) -> BuildMetrics:
        return BuildMetrics(
            power=tuple(
                Value(value=value, unit="W", stage="routed", source=f"power:{at}") for at, value in enumerate(values)
            )
        )

    found = compare_metrics(power(1.5, 2.0), power(0.0, 1.0))
    assert [(value.source, value.ratio) for value in found.values] == [("power:0", None), ("power:1", 2.0)]


@given(st.lists(st.sampled_from(["estimate", "rtlsim", "routed"]), max_size=3, unique=True))
def test_a_build_compared_with_itself_is_the_same(stages: list[Any]) -> None:
    metrics = BuildMetrics(
        latency=tuple(Value(value=7, unit="us", stage=stage, source=f"{stage}.json") for stage in stages)
    )
    found = compare_metrics(metrics, metrics)
    assert {value.ratio for value in found.values} <= {1.0}
    assert (found.only_ours, found.only_theirs) == ((), ())
