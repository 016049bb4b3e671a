"""What is said of the layers that are not in hardware."""

import pytest
from bskernel_executors.exchange.coverage import Coverage, CoveredNode, Part, measure_parts
from bskernel_executors.exchange.coverage_texts import (
    describe_all_outside,
    describe_left_over,
    format_share,
    make_rows,
    refuse_uncovered,
)
from hypothesis import given
from hypothesis import strategies as st


def layer(
    name: str, part: Part = "hardware", macs: int | None = 50, why: tuple[str, str] | None = None
) -> CoveredNode:
    reason, remedy = why or (None, None)
    return CoveredNode(name=name, kind="MatMul", part=part, multiplies=True, macs=macs, reason=reason, remedy=remedy)


def other(name: str, kind: str, part: Part, reason: str | None = None, remedy: str | None = None) -> CoveredNode:
    return CoveredNode(name=name, kind=kind, part=part, reason=reason, remedy=remedy)


def cover(*nodes: CoveredNode) -> Coverage:
    return Coverage(frames=1, nodes=nodes, parts=measure_parts(nodes))


WHOLE = cover(other("Transpose_0", "Transpose", "head"), layer("MVAU_0"), other("Mul_0", "Mul", "tail"))
WHY = ("its input is FLOAT32", "quantize it")
FIRST_ON_HOST = cover(layer("MatMul_0", "head", 86, WHY), layer("MVAU_0", macs=14))


def test_a_network_whose_products_are_all_in_hardware_gives_one_row_and_no_warning() -> None:
    (row,) = make_rows(WHOLE)
    assert row["label"] == "in hardware"
    assert row["value"] == "1 layer, 100% of the network's MACs; on the host: Transpose_0, Mul_0"
    assert WHOLE.share == 1
    assert refuse_uncovered(WHOLE) is None


def test_a_layer_on_the_host_is_a_warning_with_its_share_of_the_macs_the_reason_and_the_remedy() -> None:
    row, warning = make_rows(FIRST_ON_HOST)
    assert row["value"] == "1 layer, 14% of the network's MACs; on the host: MatMul_0"
    assert warning["label"] == "warning"
    assert (
        warning["value"] == "MatMul_0 (on the host, before the accelerator; 86% of the MACs): its input is FLOAT32. "
        "Quantize it"
    )
    assert refuse_uncovered(FIRST_ON_HOST) is None


def test_nodes_between_layers_are_warnings_and_share_a_line_if_they_share_the_reason() -> None:
    found = cover(
        layer("MVAU_0"),
        other("Im2Col_0", "Im2Col", "unmapped", *WHY),
        layer("MatMul_0", "unmapped", None, WHY),
        other("conv1_pool", "MaxPool", "unmapped", "it pads"),
        layer("MVAU_1"),
        other("Mul_0", "Mul", "tail"),
    )
    assert describe_left_over(found) == (
        "Im2Col_0, MatMul_0 (between hardware layers; an unknown number of MACs): its input is FLOAT32. Quantize it",
        "MaxPool conv1_pool (between hardware layers): it pads",
    )
    assert len(describe_all_outside(found)) == 3


def test_many_warnings_end_with_their_number() -> None:
    rows = make_rows(
        cover(*(layer(f"MatMul_{at}", "unmapped", why=(str(at), "")) for at in range(9)), layer("MVAU_0"))
    )
    assert len(rows) == 8
    assert rows[-1]["value"] == "3 more lines of this kind are in coverage.json"


def test_a_network_that_multiplies_on_the_host_alone_is_refused_with_its_layers_and_remedies() -> None:
    failure = refuse_uncovered(cover(layer("MatMul_0", "head", why=WHY), other("Thresholding_0", "Relu", "hardware")))
    assert failure is not None
    assert failure.failure.category == "transform"
    assert "not in hardware: MatMul_0" in failure.failure.message
    assert failure.failure.cause == (
        "MatMul_0 (on the host, before the accelerator; 100% of the MACs): its input is FLOAT32. Quantize it",
    )
    assert failure.failure.hint == "quantize it"


def test_a_network_in_qcdq_form_is_refused_as_such() -> None:
    failure = refuse_uncovered(cover(layer("MatMul_0", "head", why=WHY), other("q", "QuantizeLinear", "head")))
    assert failure is not None
    assert failure.failure.hint is not None
    assert "QCDQ" in failure.failure.hint


def test_a_network_that_multiplies_nowhere_is_covered() -> None:
    found = cover(other("Thresholding_0", "Thresholding", "hardware"))
    assert found.share is None
    assert refuse_uncovered(found) is None
    assert make_rows(found)[0]["value"] == "1 layer"


@given(st.floats(0, 1))
def test_nothing_but_all_is_called_all_and_nothing_but_none_is_called_none(share: float) -> None:
    text = format_share(share)
    assert (text == "100%") == (share == 1)
    assert (text == "0%") == (share == 0)


@pytest.mark.parametrize("part", ["head", "tail", "unmapped"])
def test_the_sizes_of_the_parts_are_sums_over_their_nodes(part: Part) -> None:
    found = cover(layer("MVAU_0"), layer("MatMul_0", part, 30), layer("MatMul_1", part, None))
    assert (found.parts[part].nodes, found.parts[part].macs) == (2, 30)
    assert found.share == 50 / 80
