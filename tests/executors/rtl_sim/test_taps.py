"""The beats of every stream, compared with Python's."""

from pathlib import Path

import numpy as np
from bskernel_executors.rtl_sim.beats import pack
from bskernel_executors.rtl_sim.taps import find_difference, read_taps
from hypothesis import given
from hypothesis import strategies as st
from support.branching_design import BRANCHING, STREAM

ORDER = np.arange(3)
EXPECTED = {stream.tensor: (np.arange(12).reshape(3, 4) + at) % 16 for at, stream in enumerate(BRANCHING.streams)}
RIGHT = {stream.name: EXPECTED[stream.tensor].reshape(-1, 2) for stream in BRANCHING.streams}


@given(st.sampled_from(BRANCHING.layers), st.integers(0, 5))
def test_the_first_layer_that_differs_is_named_with_frame_and_beat(layer: str, at: int) -> None:
    """Whatever comes after it, and the other branch, may differ as well."""
    wrong = False
    taps = {}
    for stream in BRANCHING.streams:
        taps[stream.name] = RIGHT[stream.name].copy()
        wrong = wrong or stream.source == layer
        if wrong and BRANCHING.layers.index(stream.source or layer) >= BRANCHING.layers.index(layer):
            taps[stream.name][at, 1] ^= 1
    found = find_difference(BRANCHING, taps, EXPECTED, ORDER)
    assert found is not None
    assert (found.stream.source, found.frame, found.beat) == (layer, at // 2, at % 2)
    assert found.design[1] == found.python[1] ^ 1


def test_frames_may_be_repeated_and_a_run_may_end_early() -> None:
    repeated = {name: np.concatenate([beats, beats])[:9] for name, beats in RIGHT.items()}
    order = np.array([0, 1, 2, 0, 1, 2])
    assert find_difference(BRANCHING, repeated, EXPECTED, order) is None
    repeated["work -> after"][8] = 0
    found = find_difference(BRANCHING, repeated, EXPECTED, order)
    assert found is not None
    assert (found.stream.name, found.frame, found.beat) == ("work -> after", 4, 0)


def test_taps_are_written_in_whole_words(tmp_path: Path) -> None:
    for at, stream in enumerate(BRANCHING.streams):
        beats = pack(EXPECTED[stream.tensor], STREAM)
        (tmp_path / f"{at}.bin").write_bytes(np.pad(beats, ((0, 0), (0, 3))).tobytes())
    taps = read_taps(tmp_path, BRANCHING)
    assert all((taps[name] == RIGHT[name]).all() for name in RIGHT)
