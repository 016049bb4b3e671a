"""What synthesis leaves of thresholds is known from their values."""

import numpy as np
import pytest
from bskernel_executors.finn_step.threshold_features import count_levels, describe_thresholds
from hypothesis import given
from hypothesis import strategies as st

INT8 = (-128, 127)
COUNTED = ("levels", "compared_bits", "tables", "table_luts")


def describe(rows: list[list[int]], pe: int) -> dict[str, float]:
    return describe_thresholds(np.array(rows), pe, 8, INT8, 8)


@pytest.mark.parametrize(("steps", "levels"), [(1, 1), (2, 2), (3, 2), (7, 3), (15, 4), (255, 8)])
def test_the_search_has_as_many_levels_as_its_result_has_bits(steps: int, levels: int) -> None:
    assert count_levels(steps) == levels


def test_equal_bits_share_a_table_and_constant_bits_need_none() -> None:
    # The second level chooses between 1 and 7: bits 1 and 2 are equal, bit 0 is constant.
    assert describe([[1, 4, 7]], 1)["tables"] == 1
    assert describe([[4, 4, 4]], 1)["tables"] == 0


def test_a_level_that_no_input_can_tell_apart_compares_nothing() -> None:
    assert describe([[-128, 0, 128]], 1)["levels"] == 1
    assert describe([[-128, 0, 128]], 1)["compared_bits"] == 8
    assert describe([[-128, -128, 128]], 1)["levels"] == 0


def test_thresholds_that_all_channels_share_cost_as_much_for_each_channel_at_once() -> None:
    one, four = describe([[1, 4, 7]], 1), describe([[1, 4, 7]], 4)
    assert [four[name] for name in COUNTED] == pytest.approx([4 * one[name] for name in COUNTED], abs=1e-3)
    # A table of channels that have thresholds of their own has a word for each, though they are equal.
    assert describe([[1, 4, 7]] * 4, 1)["table_luts"] == pytest.approx(four["table_luts"])


@given(st.integers(0, 3), st.integers(1, 7), st.data())
def test_more_channels_at_once_need_no_fewer_levels(folds: int, steps: int, data: st.DataObject) -> None:
    channels = 2**folds
    row = st.lists(st.integers(-127, 127), min_size=steps, max_size=steps).map(sorted)
    rows = [data.draw(row) for _ in range(channels)]
    found = [describe(rows, pe)["levels"] for pe in (1, channels)]
    assert found[0] <= found[1] <= channels * count_levels(steps)
