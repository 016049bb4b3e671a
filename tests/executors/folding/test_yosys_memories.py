"""Where Yosys puts memories, as counted in netlists that it wrote."""

import pytest
from bskernel_executors.folding.yosys_memories import count_blocks


@pytest.mark.parametrize(
    ("words", "bits", "blocks"),
    [(320, 4, 1), (160, 8, 0), (4096, 4, 1), (1024, 16, 1), (512, 16, 1), (256, 32, 1), (2048, 8, 1)],
)
def test_weights_of_digits_on_an_ecp5(words: int, bits: int, blocks: int) -> None:
    assert count_blocks("ecp5", words, bits) == blocks


@pytest.mark.parametrize(
    ("words", "bits", "blocks"), [(320, 4, 1), (160, 8, 1), (2048, 4, 2), (512, 16, 2), (1024, 4, 1), (16, 4, 0)]
)
def test_weights_and_replay_buffers_of_digits_on_an_ice40(words: int, bits: int, blocks: int) -> None:
    assert count_blocks("ice40", words, bits) == blocks


def test_a_wide_memory_takes_blocks_beside_each_other_and_a_deep_one_behind_each_other() -> None:
    assert count_blocks("ecp5", 512, 360) == 10
    assert count_blocks("ecp5", 16384 * 3, 1) == 3
