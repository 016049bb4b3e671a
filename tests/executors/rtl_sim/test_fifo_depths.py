"""The smallest FIFOs that keep the pace."""

from collections.abc import Sequence

from bskernel_executors.rtl_sim.fifo_depths import bisect_smallest, find_depths, find_uniform_depth
from hypothesis import given
from hypothesis import strategies as st


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 100))
def test_the_smallest_good_number_is_found(low: int, span: int, limit: int) -> None:
    high = low + span
    found = bisect_smallest(low, high, lambda number: number >= limit)
    assert found == min(high, max(low, limit))


@given(st.lists(st.tuples(st.integers(2, 60), st.integers(1, 64)), min_size=1, max_size=6), st.integers(0, 30))
def test_no_fifo_can_be_smaller_alone_and_the_pace_is_kept(fifos: list[tuple[int, int]], together: int) -> None:
    """Each FIFO needs something, and two neighbours something together."""
    needs = [need for need, _ in fifos]

    def keeps(depths: Sequence[int]) -> bool:
        pairs = zip(depths, depths[1:], needs, needs[1:], strict=False)
        alone = all(depth >= need for depth, need in zip(depths, needs, strict=True))
        return alone and all(a + b >= c + d + together for a, b, c, d in pairs)

    marks = [need + together for need in needs]
    uniform = find_uniform_depth(marks, 2, keeps)
    assert keeps([uniform] * len(marks))
    depths = find_depths(marks, [width for _, width in fifos], 2, uniform, keeps)
    assert keeps(depths)
    for at, depth in enumerate(depths):
        assert depth == 2 or not keeps([*depths[:at], depth - 1, *depths[at + 1 :]])
