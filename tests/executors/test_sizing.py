"""The smallest FIFOs that keep the pace."""

from collections.abc import Sequence

from bskernel_executors.rtl_sim.design import Design
from bskernel_executors.rtl_sim.packing import Stream
from bskernel_executors.rtl_sim.simulation import failure_of_run
from bskernel_executors.rtl_sim.sizing import size_fifos, smallest, uniform_depth
from hypothesis import given
from hypothesis import strategies as st

STREAM = Stream(width=8, beats=1, parallel=1, bits=8, signed=False, shape=(1, 1))
DESIGN = Design(
    top="top", sources=(), input=STREAM, output=STREAM, layers=("FIFO_0", "MVAU_0", "FIFO_1"), fifos=(),
    streams=("into FIFO_0", "into MVAU_0", "into FIFO_1", "output"), estimated_cycles=1,
)  # fmt: skip


@given(st.integers(0, 50), st.integers(0, 50), st.integers(0, 100))
def test_the_smallest_good_number_is_found(low: int, span: int, limit: int) -> None:
    high = low + span
    found = smallest(low, high, lambda number: number >= limit)
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
    uniform = uniform_depth(marks, 2, keeps)
    assert keeps([uniform] * len(marks))
    depths = size_fifos(marks, [width for _, width in fifos], 2, uniform, keeps)
    assert keeps(depths)
    for at, depth in enumerate(depths):
        assert depth == 2 or not keeps([*depths[:at], depth - 1, *depths[at + 1 :]])


def test_a_deadlock_names_the_layer_and_the_cycle() -> None:
    said = ["deadlock at cycle 77: 9 of 10 beats taken, 0 of 1 given", "streams (valid ready): 10 10 01 01"]
    failure = failure_of_run(DESIGN, 4, said)
    assert failure is not None
    assert "in MVAU_0" in failure.failure.message
    assert "at cycle 77" in failure.failure.message


def test_an_assertion_names_the_layer_and_the_cycle() -> None:
    said = ["[72] %Error: mvu.sv:3: Assertion failed in bskernel_top.MVAU_0_i.x: Overflowing output queue."]
    failure = failure_of_run(DESIGN, -6, said)
    assert failure is not None
    assert "in MVAU_0 in cycle 20" in failure.failure.message


def test_waves_that_are_not_compiled_in_are_a_matter_of_the_config() -> None:
    failure = failure_of_run(DESIGN, 5, [])
    assert failure is not None
    assert failure.failure.category == "config"


def test_a_run_that_went_well_is_no_failure() -> None:
    assert failure_of_run(DESIGN, 0, ["- simulation done"]) is None
