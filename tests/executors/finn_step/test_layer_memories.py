"""Memories of FINN's layers, by their attributes."""

from typing import Any

import pytest
from bskernel_executors.finn_step.layer_memories import (
    Memory,
    count_memories,
    list_buffers,
    list_styles,
    list_thresholds,
    list_weights,
)

ZU7EV, ZU3EG = "xczu7ev-ffvc1156-2-e", "xczu3eg-sbva484-1-e"


class Bits:
    """A data type of FINN's."""

    def __init__(self, bits: int) -> None:
        self.bits = bits

    def bitwidth(self) -> int:
        return self.bits


class Layer:
    """What is asked of a layer of FINN's."""

    def __init__(self, bits: int = 4, **attributes: Any) -> None:
        self.bits, self.attributes = bits, attributes

    def get_nodeattr(self, name: str) -> Any:
        return self.attributes[name]

    def get_input_datatype(self, _at: int) -> Bits:
        return Bits(self.bits)

    def calc_wmem(self) -> int:
        return int(self.attributes["words"])

    def get_instream_width(self) -> int:
        return int(self.bits * self.attributes["SIMD"])

    def get_buffer_depth(self) -> int:
        return int(self.attributes["words"])

    def select_impl_style(self) -> str:
        return "parallel" if self.attributes["parallel_window"] else "default"


def window(**attributes: Any) -> Layer:
    given: dict[str, Any] = {"SIMD": 8, "IFMChannels": 8, "words": 96, "ram_style": "block", "parallel_window": 0}
    given |= {"ConvKernelDim": [3, 3], "IFMDim": [32, 40], "Dilation": [1, 1]}
    return Layer(**(given | attributes))


def weights(**attributes: Any) -> Layer:
    given: dict[str, Any] = {"PE": 4, "SIMD": 8, "words": 600, "ram_style": "block", "mem_mode": "internal_decoupled"}
    return Layer(**(given | attributes))


def test_weights_are_one_memory_of_all_products_at_once() -> None:
    assert list_weights(weights()) == (Memory(1, 600, 128, "block"),)
    assert list_weights(weights(mem_mode="external")) == ()
    assert count_memories(list_weights(weights())) == {"BRAM_18K": 8, "URAM": 0}
    assert count_memories(list_weights(weights(ram_style="distributed"))) == {"BRAM_18K": 0, "URAM": 0}


def test_whole_windows_have_a_line_buffer_for_each_row_but_one() -> None:
    assert list_buffers(window()) == (Memory(1, 96, 32, "block", is_written=True),)
    assert list_buffers(window(parallel_window=1)) == (Memory(2, 37, 32, "block", is_written=True),)
    assert list_buffers(window(parallel_window=1, ConvKernelDim=[1, 1])) == ()
    assert count_memories(list_buffers(window(ram_style="ultra"))) == {"BRAM_18K": 0, "URAM": 1}


def test_thresholds_have_a_memory_for_each_level_and_channel_at_once() -> None:
    layer = Layer(bits=10, PE=2, NumChannels=512, numSteps=15, depth_trigger_bram=0, depth_trigger_uram=0)
    found = list_thresholds(layer, 512)
    assert [(memory.number, memory.words) for memory in found] == [(2, 256), (2, 512), (2, 1024), (2, 2048)]
    assert [memory.is_in_luts for memory in found] == [True, True, False, False]
    assert count_memories(found)["BRAM_18K"] == 2 * (1 + 2)
    assert [memory.words for memory in list_thresholds(layer, 1)] == [1, 2, 4, 8]


@pytest.mark.parametrize(
    ("part", "styles"), [(ZU7EV, ("distributed", "block", "ultra")), (ZU3EG, ("distributed", "block"))]
)
def test_buffers_may_lie_in_ultra_ram_where_there_is_some_but_constant_weights_never(
    part: str, styles: tuple[str, ...]
) -> None:
    assert list_styles("ConvolutionInputGenerator_rtl", window(), part) == styles
    assert list_styles("MVAU_rtl", weights(ram_style="auto"), part) == ("distributed", "block")


def test_a_memory_that_was_asked_for_is_kept() -> None:
    assert list_styles("MVAU_rtl", weights(ram_style="block"), ZU7EV) == ()
