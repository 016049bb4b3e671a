"""The form of a build's numbers."""

import json
from typing import Any

import pytest
from bskernel.core.metrics_form import decode_metrics
from hypothesis import given
from hypothesis import strategies as st

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text()
VALUES = st.recursive(
    SCALARS | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), VALUES, max_size=4))
def test_any_object_of_json_is_read_as_it_is(value: dict[str, Any]) -> None:
    assert decode_metrics(json.dumps(value).encode()) == value


@given(VALUES.filter(lambda value: not isinstance(value, dict)))
def test_what_is_no_object_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="no JSON object"):
        decode_metrics(json.dumps(value).encode())


DEEP = [b"[" * 100_000, b'{"a":' * 100_000, b'{"a":' * 40 + b"1" + b"}" * 40]


@pytest.mark.parametrize("data", [*DEEP, b'{"a": NaN}', b'{"a": 1e999}', b"\xff", b"", b"{", b'{"a": "\xff"}'])
def test_nesting_infinite_numbers_and_what_is_no_json_are_refused_in_words(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"nests|JSON|number"):
        decode_metrics(data)
