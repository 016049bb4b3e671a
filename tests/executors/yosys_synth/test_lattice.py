"""Synthesis for Lattice's devices: edits of FINN's library, and cells as resources."""

from itertools import product
from typing import Any

import pytest
from bskernel_executors.lattice.cells import count_resources
from bskernel_executors.sdk import StepFailure
from bskernel_executors.yosys_synth.lattice.families import SYNTHESES
from bskernel_executors.yosys_synth.lattice.library_edits import edit_library, read_edits
from hypothesis import given
from hypothesis import strategies as st

CHOICES: dict[str, tuple[str, ...]] = {
    "multipliers": ("lut", "dsp"),
    "thresholds": ("logic", "block"),
    "fifos": ("lut-ram", "shift"),
    "family": ("ecp5", "ice40"),
}


def test_every_edit_is_made_by_a_choice_that_exists_and_says_why() -> None:
    for edit in read_edits():
        assert edit.when.keys() <= CHOICES.keys()
        assert all(value in CHOICES[key] for key, value in edit.when.items())
        assert any(letter.isdigit() for letter in edit.reason), edit.reason  # a reason has a figure


@pytest.mark.parametrize("chosen", [dict(zip(CHOICES, values, strict=True)) for values in product(*CHOICES.values())])
def test_an_edit_changes_its_own_text_alone(chosen: dict[str, str]) -> None:
    for name in {edit.file for edit in read_edits()}:
        finds = list(dict.fromkeys(edit.find for edit in read_edits() if edit.file == name))
        made = [edit for edit in read_edits() if edit.file == name and edit.when.items() <= chosen.items()]
        text = edit_library(name, "before\n" + "\n".join(finds) + "\nafter", chosen)
        assert text.startswith("before\n")
        assert text.endswith("\nafter")
        for find in finds:
            assert (find in text.split("\n")) == (find not in [edit.find for edit in made])
        assert all(edit.replace in text for edit in made)


def test_a_file_that_no_edit_is_for_stays_and_another_library_is_refused() -> None:
    chosen = {key: values[0] for key, values in CHOICES.items()}
    assert edit_library("replay_buffer.sv", "module", chosen) == "module"
    with pytest.raises(StepFailure, match="0 times, not once") as refused:
        edit_library("mvu.sv", "module", chosen)
    assert refused.value.failure.category == "executor"


@given(st.dictionaries(st.sampled_from(["LUT4", "CCU2C", "TRELLIS_DPR16X4", "PFUMX"]), st.integers(0, 999)))
def test_luts_are_those_that_cells_take(cells: dict[str, int]) -> None:
    found: dict[str, Any] = count_resources("ecp5", cells)
    assert found["LUT"] == cells.get("LUT4", 0) + 2 * cells.get("CCU2C", 0) + 6 * cells.get("TRELLIS_DPR16X4", 0)
    assert found["FF"] == found["DSP"] == 0


def test_both_kinds_of_block_ram_count() -> None:
    assert count_resources("ecp5", {"DP16KD": 2, "PDPW16KD": 3})["BRAM_18K"] == 5


def test_an_ice40_s_flip_flops_of_all_kinds_count_and_its_carries_take_no_lut() -> None:
    cells = {
        "SB_DFF": 1,
        "SB_DFFESR": 2,
        "SB_DFFNSS": 4,
        "SB_CARRY": 8,
        "SB_LUT4": 16,
        "SB_RAM40_4KNR": 32,
        "SB_MAC16": 64,
    }
    assert count_resources("ice40", cells) == {"LUT": 16, "FF": 7, "DSP": 64, "BRAM_4K": 32, "CARRY": 8}


def test_a_family_decides_what_it_leaves_no_choice_of() -> None:
    for synthesis in SYNTHESES.values():
        assert all(value in CHOICES[key] for key, value in synthesis.fixed.items())
        assert synthesis.options.keys() == set(CHOICES["multipliers"])
