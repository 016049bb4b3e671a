"""Block RAMs and UltraRAMs of a memory, by the rules of Yosys."""

import pytest
from bskernel_executors.dataflow.memories import count_blocks, count_constants, count_ultra, takes_blocks
from hypothesis import given
from hypothesis import strategies as st

# Words, bits, and what Yosys 0.70 made of constants that look like noise, on UltraScale+ and on 7 series alike.
CONSTANTS = [
    (16, 36, 1), (512, 32, 1), (513, 5, 1), (600, 96, 6), (1152, 64, 6), (1500, 48, 4), (2304, 12, 2), (3000, 40, 7),
    (4096, 40, 9), (4608, 5, 2), (8192, 12, 6), (8192, 32, 15), (8192, 80, 36), (9216, 24, 12),
]  # fmt: skip
WRITTEN = [(1500, 32, 3), (2048, 20, 3), (3000, 48, 9), (4608, 20, 7), (4608, 64, 18), (8192, 32, 16), (8192, 96, 44)]
ULTRA = [(16, 72, 1), (513, 144, 2), (3000, 80, 2), (4608, 64, 2), (8192, 24, 1), (8192, 32, 1), (8192, 96, 3)]


@pytest.mark.parametrize(("words", "bits", "blocks"), CONSTANTS)
def test_constants_take_the_blocks_that_yosys_makes(words: int, bits: int, blocks: int) -> None:
    assert count_blocks(words, bits) == blocks


@pytest.mark.parametrize(("words", "bits", "blocks"), WRITTEN)
def test_a_written_memory_takes_the_blocks_that_yosys_makes(words: int, bits: int, blocks: int) -> None:
    assert count_blocks(words, bits, is_written=True) == blocks


@pytest.mark.parametrize(("words", "bits", "blocks"), ULTRA)
def test_a_written_memory_takes_the_ultra_rams_that_yosys_makes(words: int, bits: int, blocks: int) -> None:
    assert count_ultra(words, bits) == blocks


@given(st.integers(2, 20_000), st.integers(1, 300), st.booleans())
def test_no_memory_is_larger_than_its_blocks(words: int, bits: int, is_written: bool) -> None:
    assert count_blocks(words, bits, is_written=is_written) * (18 << 10) >= words * bits


def test_constants_of_no_style_go_where_they_cost_least() -> None:
    assert not takes_blocks(256, 8)
    assert takes_blocks(1024, 18)
    assert [count_constants(1024, 18, style) for style in ("auto", "block", "distributed")] == [1, 1, 0]
    assert [count_constants(256, 8, style) for style in ("auto", "block", "distributed")] == [0, 1, 0]
