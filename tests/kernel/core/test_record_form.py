"""What passes as a record can be kept, written and shown; what does not is named by its place."""

from typing import Any

import msgspec
from bskernel.core.record_form import bounded_failure, find_record_fault
from bskernel.core.visible_text import visible_line
from bskernel_protocol import Failure, canonical_bytes, pretty_json
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.text(max_size=5)
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats()
ANYTHING = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.integers(0, 9), inner, max_size=3),
    max_leaves=12,
)
RECORDS = st.dictionaries(st.sampled_from(["summary", "tables", "a", "b"]), ANYTHING, max_size=3)


@given(RECORDS)
def test_a_record_without_a_fault_is_written_in_every_form(record: dict[str, Any]) -> None:
    received = msgspec.msgpack.decode(msgspec.msgpack.encode(record), type=dict[str, Any], strict=False)
    fault = find_record_fault(received)
    if fault is None:
        canonical_bytes(received)
        pretty_json(received)
        for row in received.get("summary", ()):
            assert f"{row['label']:<18} {row['value']}"
        for table in received.get("tables", ()):
            assert all(isinstance(cell, str) for row in (table["columns"], *table["rows"]) for cell in row)
    else:
        assert fault.startswith("record")
        assert visible_line(fault) == fault


def test_a_deep_record_needs_no_stack() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    assert (find_record_fault({"a": value}) or "").endswith("nests more than 32 deep")


def test_an_ordinary_record_passes() -> None:
    rows = [{"label": "LUT", "value": 3, "note": "estimate"}, {"label": "warning", "value": "x", "more": True}]
    tables = [{"title": "t", "columns": ["a", "b"], "rows": [["1", "2"], ["3"]]}]
    assert find_record_fault({"summary": rows, "tables": tables, "added": 1, "x": {"y": [1.5, None]}}) is None


def test_an_ordinary_failure_stays_as_it_is() -> None:
    failure = Failure(category="kernel", message="m", cause=("a", "b"), hint="h", facts={"exception": "ValueError"})
    assert bounded_failure(failure) == failure
