"""Foldings that FINN can generate."""

import math

import pytest
from bskernel_executors.finn_step.folding_units import counts_windows


def bits_of_counter(rows: int, columns: int) -> int:
    """As FINN+ computes it: the loops' counts, less one where the loop is the innermost."""
    loops = (rows - 1, columns) if columns == 1 else (rows, columns - 1)
    return math.ceil(math.log2(max(*(count - 1 for count in loops), 0)))


@pytest.mark.parametrize("rows", range(1, 7))
@pytest.mark.parametrize("columns", range(1, 7))
def test_whole_windows_are_a_choice_exactly_where_finn_can_count_them(rows: int, columns: int) -> None:
    try:
        bits_of_counter(rows, columns)
    except ValueError:
        assert not counts_windows(rows, columns)
    else:
        assert counts_windows(rows, columns)
