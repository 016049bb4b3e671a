"""What a budget may name on each family of devices, and what it is without one."""

import pytest
from bskernel_executors.folding.families import describe_defaults, find_budget, find_cost_family, find_lattice_totals

ECP5, UP5K, AMD = "LFE5U-85F-6BG381C", "iCE40UP5K-SG48I", "xczu7ev-ffvc1156-2-e"


@pytest.mark.parametrize(("part", "family"), [(ECP5, "ecp5"), (UP5K, "ice40"), (AMD, "amd")])
def test_a_part_has_the_costs_of_its_family(part: str, family: str) -> None:
    assert find_cost_family(part) == family


def test_without_a_budget_a_part_has_the_shares_of_its_family() -> None:
    totals = find_lattice_totals(ECP5)
    assert (totals["LUT"], totals["BRAM_18K"], totals["DSP"]) == (83640, 208, 156)
    budget = find_budget(ECP5, totals, {})
    assert budget == {"LUT": 0.7 * 83640, "DSP": 0.9 * 156, "BRAM_18K": 0.9 * 208, "pins": 90}


def test_a_share_is_of_the_device_and_a_count_is_at_most_what_it_has() -> None:
    totals = find_lattice_totals(UP5K)
    budget = find_budget(UP5K, totals, {"LUT": 0.5, "BRAM_4K": 99, "DSP": 3})
    assert budget == {"LUT": 2640, "DSP": 3, "BRAM_4K": 30, "pins": 39}


def test_flip_flops_have_a_budget_only_if_one_is_given() -> None:
    totals = find_lattice_totals(ECP5)
    assert find_budget(ECP5, totals, {"FF": 0.5})["FF"] == 0.5 * 83640


@pytest.mark.parametrize(
    ("part", "asked", "said"),
    [
        (ECP5, "URAM", "has no URAM; it has LUT, DSP, BRAM_18K, pins, FF."),
        (UP5K, "BRAM_18K", "has no BRAM_18K; it has LUT, DSP, BRAM_4K, pins"),
        (UP5K, "FF", "LUT counts logic cells, with the flip-flops in them"),
        (UP5K, "FF", "Without a budget: LUT 0.7, DSP 1, BRAM_4K 1, pins 1"),
    ],
)
def test_what_a_part_does_not_have_is_refused_with_the_choices(part: str, asked: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"target\.budget") as error:
        find_budget(part, find_lattice_totals(part), {asked: 0.5})
    assert said in str(error.value)


def test_defaults_are_named_for_what_is_not_given_alone() -> None:
    assert describe_defaults(AMD, {"LUT": 0.1}) == "DSP 0.9, BRAM_18K 0.9, URAM 0.9"
