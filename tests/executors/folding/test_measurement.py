"""What was counted after synthesis corrects what is predicted of the same network."""

import msgspec
import pytest
from bskernel_executors.exchange.budget_check import BudgetCheck, BudgetedResource
from bskernel_executors.exchange.design import Design, Fifo, Stream, StreamFormat
from bskernel_executors.exchange.synthesis import CellSynthesis
from bskernel_executors.folding.costs import STREAM, Costs, Sample, describe_stream
from bskernel_executors.folding.measurement import (
    PredictedCosts,
    PredictedPart,
    check_budget,
    make_rows,
    measure,
    with_packed,
)
from bskernel_executors.sdk import StepFailure

LAYER = {"one": 1.0, "bits_in": 8.0, "product_bits": 32.0}


def a_format(bits: int) -> StreamFormat:
    return StreamFormat(
        width=-(-bits // 8) * 8, beats=4, parallel=1, bits=bits, signed=False, datatype="UINT", shape=(4,)
    )


def stream(source: str | None, sink: str | None, bits: int) -> Stream:
    return Stream(name=f"{source} -> {sink}", tensor="t", source=source, sink=sink, format=a_format(bits))


DESIGN = Design(
    sources=(),
    input=a_format(8),
    output=a_format(4),
    layers=("F0", "A", "F1", "StreamingDataWidthConverter_rtl_0", "F2", "B", "F3"),
    fifos=tuple(
        Fifo(name=name, width=width, depth=depth)
        for name, width, depth in (("F0", 8, 2), ("F1", 12, 2), ("F2", 24, 300), ("F3", 4, 2))
    ),
    streams=(
        stream(None, "F0", 8),
        stream("F0", "A", 8),
        stream("A", "F1", 12),
        stream("F1", "StreamingDataWidthConverter_rtl_0", 12),
        stream("StreamingDataWidthConverter_rtl_0", "F2", 24),
        stream("F2", "B", 24),
        stream("B", "F3", 4),
        stream("F3", None, 4),
    ),
    estimated_cycles=4,
)
LUTS = {"F0": 18, "A": 500, "F1": 26, "StreamingDataWidthConverter_rtl_0": 30, "F2": 200, "B": 90, "F3": 18}
SYNTHESIS = CellSynthesis(
    tool="Yosys 0.70",
    family="xcup",
    design={"LUT": sum(LUTS.values()), "BRAM_18K": 1, "BRAM_36K": 2},
    layers={name: {"LUT": count, "FF": 2 * count, "BRAM_18K": 0, "BRAM_36K": 0} for name, count in LUTS.items()},
    differences=(),
)
PREDICTED = PredictedCosts(
    network="n",
    device={"LUT": 1000.0, "BRAM_18K": 10.0, "URAM": 0.0},
    budget={"LUT": 700.0, "BRAM_18K": 9.0, "URAM": 0.0},
    predicted={"LUT": 690.0, "BRAM_18K": 5.0, "URAM": 0.0},
    parts=(
        PredictedPart(name="A", operator="MVAU_rtl", features=LAYER, counts={"LUT": 400.0}),
        PredictedPart(name="B", operator="MVAU_rtl", features={**LAYER, "bits_in": 4.0}, counts={"LUT": 90.0}),
        *(
            PredictedPart(name=name, operator=STREAM, features=describe_stream(*widths), counts={})
            for name, widths in (("input -> A", (8, 8)), ("A -> B", (12, 24)), ("B -> output", (4, 4)))
        ),
    ),
    samples=(),
)
MEASURED = measure(PREDICTED, DESIGN, SYNTHESIS)


def test_layers_and_the_streams_between_them_come_to_the_whole_design() -> None:
    named = {sample.layer: sample.LUT for sample in MEASURED if sample.layer}
    assert named == {"A": 500, "B": 90, "input -> A": 18, "A -> B": 256, "B -> output": 18}
    assert sum(named.values()) == SYNTHESIS.design["LUT"]


def test_fifos_of_the_least_depth_and_converters_are_samples_of_their_own() -> None:
    parts = sorted((sample.operator, sample.LUT) for sample in MEASURED if not sample.layer)
    fifo, converter = "StreamingFIFO_rtl", "StreamingDataWidthConverter_rtl"
    assert parts == [(converter, 30), (fifo, 18), (fifo, 18), (fifo, 26)]


def test_a_layer_is_recalled_at_the_folding_that_was_synthesised_and_the_others_are_corrected_by_it() -> None:
    before, after = Costs(network="n"), Costs(MEASURED, network="n")
    other = {**LAYER, "product_bits": 64.0}
    assert after.count("A", "MVAU_rtl", LAYER, {})["LUT"] == 500
    fitted = {name: after.fits["LUT"]["MVAU_rtl"].weights.get(name, 0.0) for name in LAYER}
    ratio = 500 / sum(fitted[name] * LAYER[name] for name in LAYER)
    assert after.count("A", "MVAU_rtl", other, {})["LUT"] == pytest.approx(
        ratio * sum(fitted[name] * other[name] for name in LAYER)
    )
    assert Costs(MEASURED, network="another").recalled == 0
    assert after.recalled == 5
    assert before.recalled == 0


def test_a_stream_is_recalled_and_its_fifos_stay_as_deep_at_other_widths() -> None:
    costs = Costs(MEASURED, network="n")
    assert costs.stream("A -> B", 12, 24)["LUT"] == 256
    deep = costs.stream("A -> B", 12, 12)["LUT"] - costs.stream("C -> D", 12, 12)["LUT"]
    assert deep == pytest.approx(256 - costs.stream("C -> D", 12, 24)["LUT"])
    assert deep > 0


def test_the_order_of_rounds_counts_the_last_one() -> None:
    later = Sample(operator="MVAU_rtl", features=LAYER, LUT=700, network="n", layer="A")
    assert Costs((*MEASURED, later), network="n").count("A", "MVAU_rtl", LAYER, {})["LUT"] == 700


def test_a_design_of_another_network_is_refused() -> None:
    other = CellSynthesis(tool="Yosys", family="xcup", design={}, layers={"A": {"LUT": 1}}, differences=())
    with pytest.raises(StepFailure, match="the synthesised design has no B"):
        measure(PREDICTED, DESIGN, other)


def test_a_budget_that_is_not_kept_is_said_loudly_with_what_was_predicted() -> None:
    check = check_budget(PREDICTED, SYNTHESIS)
    assert set(check.resources) == {"LUT", "BRAM_18K"}
    assert check.resources["BRAM_18K"].counted == 1 + 2 * 2
    verdict, uses = make_rows(check)
    assert verdict["value"] == "DOES NOT FIT: over its budget in LUT by 26.0%"
    assert uses["value"].startswith("LUT 882 of 700 (predicted 690)")


def test_what_uses_a_resource_without_a_budget_does_not_fit() -> None:
    one = BudgetedResource(device=0, budget=0, predicted=0, counted=1)
    assert one.used > 1
    rows = make_rows(BudgetCheck(tool="Yosys", resources={"URAM": one}))
    assert rows[0]["value"].startswith("DOES NOT FIT")


def test_what_a_router_packs_takes_the_place_of_cells_in_layers_and_in_the_design() -> None:
    packed = {name: {"LUT": 2 * count} for name, count in LUTS.items()}
    found = with_packed(SYNTHESIS, packed)
    assert found.design == {**SYNTHESIS.design, "LUT": 2 * SYNTHESIS.design["LUT"]}
    assert found.layers["A"] == {**SYNTHESIS.layers["A"], "LUT": 1000}
    assert found.tool == "Yosys 0.70, packed"


def test_samples_have_the_family_that_the_folding_was_found_for() -> None:
    predicted = msgspec.structs.replace(PREDICTED, family="ecp5")
    assert {sample.family for sample in measure(predicted, DESIGN, SYNTHESIS)} == {"ecp5"}
