"""Cells of a netlist as resources."""

import pytest
from bskernel_executors.sdk import StepFailure
from bskernel_executors.yosys_synth.counts import per_layer, resources
from bskernel_executors.yosys_synth.entries import family_of


def test_memories_in_luts_count_as_the_luts_they_take() -> None:
    found = resources({"LUT6": 3, "RAM32M16": 1, "RAM64X1S": 2, "INV": 9, "FDRE": 4, "FDSE": 1, "RAMB18E2": 2})
    assert found["LUT"] == 3 + 8 + 2
    assert found["FF"] == 5
    assert (found["BRAM_18K"], found["BRAM_36K"], found["DSP"]) == (2, 0, 0)


def test_a_layer_is_counted_with_its_weight_memory() -> None:
    names = ("MVAU_rtl_0$top.MVAU_rtl_0_i", "MVAU_rtl_0_memstream_wrapper$top.m", "MVAU_rtl_01$top.x")
    cells: tuple[dict[str, int], ...] = ({"DSP48E2": 2, "LUT6": 1}, {"RAMB18E2": 1, "LUT6": 1}, {"LUT6": 50})
    modules: dict[str, object] = {
        f"\\{name}": {"num_cells_by_type": found} for name, found in zip(names, cells, strict=True)
    }
    modules["\\top"] = {"num_cells_by_type": dict.fromkeys(names, 1)}
    found = per_layer({"modules": modules}, ("MVAU_rtl_0", "StreamingFIFO_rtl_0"), "top")
    assert found.keys() == {"MVAU_rtl_0"}
    assert {key: found["MVAU_rtl_0"][key] for key in ("LUT", "DSP", "BRAM_18K")} == {
        "LUT": 2,
        "DSP": 2,
        "BRAM_18K": 1,
    }


@pytest.mark.parametrize(("part", "family"), [("xczu7ev-ffvc1156-2-e", "xcup"), ("xc7z020clg400-1", "xc7")])
def test_a_part_has_a_family(part: str, family: str) -> None:
    assert family_of(part) == family


def test_a_versal_part_is_refused_with_what_can_be_done() -> None:
    with pytest.raises(StepFailure, match="no family") as caught:
        family_of("xcvc1902-vsva2197-2MP-e-S")
    assert "7-series" in str(caught.value.failure.hint)
