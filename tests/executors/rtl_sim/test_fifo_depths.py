"""The smallest FIFOs that keep the pace."""

from collections.abc import Sequence

from bskernel_executors.rtl_sim.fifo_depths import Depths, find_depths
from hypothesis import given
from hypothesis import strategies as st

FIFOS = st.lists(st.tuples(st.integers(2, 60), st.integers(1, 64)), min_size=1, max_size=6)


class Pipeline:
    """FIFOs that each need something, and two neighbours something together. It counts trials, up to `most`."""

    def __init__(self, needs: Sequence[int], together: int, most: int = 10**9, *, shrinks: bool = False) -> None:
        self.needs, self.together, self.most, self.shrinks = needs, together, most, shrinks
        self.trials = 0

    def keeps(self, depths: Sequence[int]) -> bool:
        pairs = zip(depths, depths[1:], self.needs, self.needs[1:], strict=False)
        alone = all(depth >= need for depth, need in zip(depths, self.needs, strict=True))
        return alone and all(a + b >= c + d + self.together for a, b, c, d in pairs)

    def attempt(self, several: Sequence[Depths]) -> Sequence[Depths | None]:
        if self.trials >= self.most:
            return []
        self.trials += len(several)
        return [self.use(depths) if self.keeps(depths) else None for depths in several]

    def use(self, depths: Depths) -> Depths:
        """The room that was needed; a run that shrinks used less of the last FIFO, where that suffices."""
        less = (*depths[:-1], depths[-1] - 1)
        return less if self.shrinks and self.keeps(less) else depths


@given(FIFOS, st.integers(0, 30), st.booleans())
def test_no_fifo_can_be_smaller_alone_and_the_pace_is_kept(
    fifos: list[tuple[int, int]], together: int, shrinks: bool
) -> None:
    needs = [need for need, _ in fifos]
    pipeline = Pipeline(needs, together, shrinks=shrinks)
    depths = find_depths([need + together for need in needs], [width for _, width in fifos], 2, pipeline.attempt)
    assert pipeline.keeps(depths)
    for at, depth in enumerate(depths):
        assert depth == 2 or not pipeline.keeps([*depths[:at], depth - 1, *depths[at + 1 :]])


@given(FIFOS, st.integers(0, 30), st.integers(0, 20))
def test_a_search_that_ends_early_has_depths_that_keep_the_pace(
    fifos: list[tuple[int, int]], together: int, most: int
) -> None:
    needs = [need for need, _ in fifos]
    pipeline = Pipeline(needs, together, most)
    depths = find_depths([need + together for need in needs], [width for _, width in fifos], 2, pipeline.attempt)
    assert pipeline.keeps(depths)
    assert pipeline.trials <= most + 1


@given(FIFOS, st.integers(0, 30), st.floats(0, 1))
def test_a_search_ends_when_what_is_left_to_save_is_negligible(
    fifos: list[tuple[int, int]], together: int, negligible: float
) -> None:
    needs, widths = [need for need, _ in fifos], [width for _, width in fifos]
    marks = [need + together for need in needs]
    pipeline = Pipeline(needs, together)
    depths = find_depths(marks, widths, 2, pipeline.attempt, negligible=negligible)
    assert pipeline.keeps(depths)
    bits = sum(depth * width for depth, width in zip(depths, widths, strict=True))
    for at, width in enumerate(widths):
        smaller = depths[at] - int(negligible * bits / width) - 1
        assert smaller < 2 or not pipeline.keeps([*depths[:at], smaller, *depths[at + 1 :]])


@given(st.integers(0, 63), st.integers(3, 1000))
def test_one_fifo_of_many_that_needs_more_is_found_in_few_trials(at: int, need: int) -> None:
    needs = [need if index == at else 2 for index in range(64)]
    pipeline = Pipeline(needs, 0)
    assert find_depths([1000] * 64, [8] * 64, 2, pipeline.attempt) == tuple(needs)
    assert pipeline.trials <= 1 + 2 * 6 + 2 * 8
