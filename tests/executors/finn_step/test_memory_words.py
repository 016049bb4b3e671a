"""Words of memories, packed all at once, against FINN's own packing of one after the other."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bskernel.workspace.workspace import Workspace
from bskernel_executors.finn_step.memory_words import pack_integers
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.finn_worker import Ask, finn_worker

RANGES = {"BIPOLAR": (-1, 1), "BINARY": (0, 1), "TERNARY": (-1, 1)}
RANGES |= {f"UINT{bits}": (0, 2**bits - 1) for bits in range(1, 25)}
RANGES |= {f"INT{bits}": (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) for bits in range(1, 25)}
BITS = {"BIPOLAR": 1, "BINARY": 1, "TERNARY": 2}


@pytest.fixture(scope="module", params=["finn-plus-1.6.1", "finn-plus-1.4.0"])
def ask(
    request: pytest.FixtureRequest,
    workspace: Workspace,
    environments: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Ask]:
    home = tmp_path_factory.mktemp("home")
    with finn_worker("words_worker.py", request.param, workspace, environments, home) as ask_worker:
        yield ask_worker


def a_case(datatype: str, values: Sequence[float], shape: list[int], word_bits: int, **more: Any) -> dict[str, Any]:
    other = {"container": "float32", "reverse": False, "prefix": ""}
    return {"datatype": datatype, "values": values, "shape": shape, "word_bits": word_bits, **other, **more}


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    """Values of a type in words that hold them: what the layers of FINN ask for."""
    datatype = draw(st.sampled_from(sorted(RANGES)))
    low, high = RANGES[datatype]
    shape = draw(st.lists(st.integers(1, 5), min_size=1, max_size=4))
    value = st.sampled_from([-1, 1]) if datatype == "BIPOLAR" else st.integers(low, high)
    values = draw(st.lists(value, min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
    bits = BITS.get(datatype) or int(datatype.lstrip("UINT"))
    word_bits = -(-shape[-1] * bits // 4) * 4 + 4 * draw(st.integers(0, 9))
    more = {"reverse": draw(st.booleans()), "prefix": draw(st.sampled_from(["", "0x"]))}
    return a_case(datatype, values, shape, word_bits, container=draw(st.sampled_from(["float32", "int64"])), **more)


@pytest.mark.env
@settings(deadline=None, max_examples=200)
@given(case=cases())
@example(case=a_case("UINT2", [3, 3, 3, 3, 1, 3, 3, 1], [2, 2, 2], 8))
@example(case=a_case("BINARY", [1, 1, 0, 1], [4], 4, reverse=True, prefix="0x"))
@example(case=a_case("INT4", [-8, 7], [2], 1024))
@example(case=a_case("FIXED<8,4>", [-8, 7.9375, 0.0625, -0.0625], [2, 2], 16))
def test_words_of_integers_are_finn_s_and_none_is_left_to_finn(ask: Ask, case: dict[str, Any]) -> None:
    found = ask(case)
    assert "words" in found["finn"]
    assert found["ours"] == found["finn"]
    assert found["left"] == 0


@pytest.mark.env
@pytest.mark.parametrize(
    "case",
    [
        a_case("FLOAT32", [0.5, -1.25, 3e20], [3], 96),
        a_case("INT4", [8], [1], 8),  # not of the type
        a_case("INT4", [0.5], [1], 8),
        a_case("INT4", [float("nan")], [1], 8),
        a_case("BIPOLAR", [0], [1], 8),
        a_case("FIXED<8,4>", [0.03], [1], 8),
        a_case("UINT8", [1, 2], [2], 8),  # too many bits
        a_case("UINT3", [1, 2], [2], 6),  # no whole digits
        a_case("UINT8", [], [2, 0], 8),
        a_case("UINT8", [], [0, 2], 16),
    ],
    ids=lambda case: f"{case['datatype']} {case['values']} {case['word_bits']}",
)
def test_what_is_no_word_of_integers_ends_as_it_does_with_finn(ask: Ask, case: dict[str, Any]) -> None:
    found = ask(case)
    assert found["left"] == 1
    assert found["ours"] == found["finn"]


def test_words_are_the_same_in_as_many_blocks_as_they_take(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(-8, 8, (3, 50, 7))
    whole = pack_integers(values, 4, low=-8, high=7, word_bits=32, prefix="")
    monkeypatch.setattr("bskernel_executors.finn_step.memory_words._BLOCK", 100)
    split = pack_integers(values, 4, low=-8, high=7, word_bits=32, prefix="")
    assert whole is not None
    assert split is not None
    assert split.tolist() == whole.tolist()
    first = "0" + "".join(f"{value & 15:x}" for value in values[0, 0].tolist())
    assert whole[0, 0] == first
