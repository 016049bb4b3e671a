"""Shortcuts through data types: the types, and what numbers they have, are QONNX's."""

import re
from typing import Any

import numpy as np
import pytest
from bskernel_executors.sdk.datatype_shortcuts import allow_numbers, resolve_integers
from hypothesis import example, given
from hypothesis import strategies as st
from qonnx.core import datatype
from qonnx.core.datatype import IntType

if datatype.resolve_datatype.__module__ != datatype.__name__:
    raise ValueError("this process has taken the shortcuts already, so that nothing is left to compare them with")

NAMES = [f"{sign}INT{width}" for sign in ("", "U") for width in (0, 1, 2, 8, 63, 64, 65, 128, -1, "08", " 8", "")]
NAMES += ["BINARY", "BIPOLAR", "TERNARY", "FLOAT32", "FLOAT16", "FIXED<8,4>", "SCALEDINT<8>", "FLOAT<4,3>", "other"]
ALLOWED = allow_numbers(IntType.allowed)
RESOLVE = resolve_integers(datatype.resolve_datatype, IntType)


def described(resolve: Any, name: Any) -> Any:
    """The type of a name in all that it says, or what is raised in its place."""
    try:
        found = resolve(name)
    except Exception as error:  # noqa: BLE001
        return type(error), str(error)
    return type(found), vars(found)


@pytest.mark.parametrize("name", [*NAMES, None, 8, np.str_("INT8")])
def test_a_name_gives_the_type_that_qonnx_gives(name: Any) -> None:
    assert described(RESOLVE, name) == described(datatype.resolve_datatype, name)


def test_a_type_is_made_anew_for_each_question() -> None:
    assert RESOLVE("INT8") is not RESOLVE("INT8")


NUMBERS = st.one_of(
    st.floats(),
    st.integers(-(2**70), 2**70),
    st.integers(-(2**53), 2**53).map(float),
    st.integers(0, 66).flatmap(lambda bits: st.sampled_from([2.0**bits, -(2.0**bits), 2.0**bits - 1, 2.0**bits + 1])),
    st.sampled_from([0.0, -0.0, 0.5, float("nan"), float("inf"), -float("inf"), True]),
    st.floats(width=32).map(np.float32),
    st.floats().map(np.float64),
    st.lists(st.floats(), max_size=3).map(np.array),
)


@given(st.integers(1, 64), st.booleans(), NUMBERS)
@example(width=64, signed=False, value=float(2**64))
@example(width=64, signed=True, value=-float(2**63))
@example(width=1, signed=False, value=-(2**63) - 1)  # NumPy has no such integers, and cannot round them
def test_a_type_has_the_numbers_that_qonnx_says(width: int, signed: bool, value: Any) -> None:
    kind = IntType(width, signed)
    with np.errstate(all="ignore"):
        try:
            expected = kind.allowed(value)
        except TypeError as error:
            with pytest.raises(TypeError, match=f"^{re.escape(str(error))}$"):
                ALLOWED(kind, value)
            return
        found = ALLOWED(kind, value)
    assert type(found) is type(expected)
    assert np.array_equal(found, expected)


@given(st.integers(1, 64), st.booleans(), st.lists(st.floats(-300, 300).map(round).map(float), min_size=1))
def test_one_by_one_an_array_s_numbers_give_the_array_that_qonnx_gives(
    width: int, signed: bool, values: list[float]
) -> None:
    kind = IntType(width, signed)
    for form in (np.float32, np.float64):
        numbers = np.array(values, form)
        expected = np.vectorize(kind.allowed)(numbers)
        found = np.vectorize(lambda value: ALLOWED(kind, value))(numbers)
        assert found.dtype == expected.dtype
        assert np.array_equal(found, expected)
