"""Frames as beats of a stream."""

import numpy as np
import pytest
from bskernel_executors.exchange.design import StreamFormat
from bskernel_executors.rtl_sim.beats import pack, unpack
from hypothesis import given
from hypothesis import strategies as st


def stream(bits: int, parallel: int, beats: int, *, signed: bool = False) -> StreamFormat:
    width = -(-bits * parallel // 8) * 8
    return StreamFormat(
        width=width,
        beats=beats,
        parallel=parallel,
        bits=bits,
        signed=signed,
        datatype=f"{'' if signed else 'U'}INT{bits}",
        shape=(1, beats * parallel),
    )


def test_the_first_value_lies_in_the_lowest_bits() -> None:
    assert pack(np.array([[1, 2, 3, 4]]), stream(4, 2, 2)).tolist() == [[0x21], [0x43]]


def test_negative_values_are_twos_complements() -> None:
    assert pack(np.array([[-1, -8]]), stream(4, 1, 2, signed=True)).tolist() == [[0x0F], [0x08]]


@given(st.data(), st.integers(1, 17), st.integers(1, 5), st.integers(1, 4), st.booleans())
def test_what_is_packed_comes_back(data: st.DataObject, bits: int, parallel: int, beats: int, signed: bool) -> None:
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
    size = parallel * beats
    frames = np.array(data.draw(st.lists(st.lists(st.integers(low, high), min_size=size, max_size=size), min_size=1)))
    folding = stream(bits, parallel, beats, signed=signed)
    assert (unpack(pack(frames, folding), folding).reshape(frames.shape) == frames).all()


@pytest.mark.parametrize("value", [16, -1])
def test_a_value_that_does_not_fit_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="do not fit a stream of 0 to 15"):
        pack(np.array([[value, 0]]), stream(4, 1, 2))
