"""The files of an exported design."""

import numpy as np
import pytest
from bskernel_executors.exchange.design import StreamFormat
from bskernel_executors.rtl_sim.exported_design import flatten_sources, write_frames, write_packaging
from bskernel_executors.sdk import StepFailure

STREAM = StreamFormat(width=16, beats=2, parallel=3, bits=4, signed=False, datatype="UINT4", shape=(1, 6))


def test_a_line_is_a_beat_with_its_first_value_in_the_lowest_bits() -> None:
    assert write_frames(np.array([[1, 2, 3, 10, 11, 12], [0, 0, 1, 15, 0, 0]]), STREAM) == "0321\n0cba\n0100\n000f\n"


def test_sources_find_their_memories_beside_themselves() -> None:
    files = {"top.sv": b"`top", "lib/memory.sv": b'parameter FILE = "mem/a.dat"', "mem/a.dat": b'"mem/'}
    assert flatten_sources(files) == {"top.sv": b"`top", "memory.sv": b'parameter FILE = "a.dat"', "a.dat": b'"mem/'}


def test_two_files_of_one_name_are_refused() -> None:
    with pytest.raises(StepFailure) as caught:
        flatten_sources({"lib/a.sv": b"", "hdl/a.sv": b""})
    assert "a.sv" in caught.value.failure.message


def test_a_part_that_would_be_tcl_is_refused() -> None:
    with pytest.raises(StepFailure) as caught:
        write_packaging(("a.v",), (), "xc7z020[exec rm]")
    assert caught.value.failure.category == "config"
