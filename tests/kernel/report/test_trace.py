"""A build as a trace for Perfetto."""

import itertools
from typing import Any

from bskernel.report.page.timeline import StepTime, Timeline, find_times
from bskernel.report.trace import trace_events
from hypothesis import given
from hypothesis import strategies as st
from support.page_records import LOG, STEPS


def slices(timeline: Timeline) -> list[dict[str, Any]]:
    return [event for event in trace_events("b", timeline)["traceEvents"] if event["ph"] == "X"]


def test_each_step_and_item_is_a_slice_with_its_wait_in_it() -> None:
    found = slices(find_times(STEPS, 4.0, LOG))
    shown = [(event["name"], event["ts"], event["dur"], event["tid"]) for event in found]
    assert shown == [
        ("adapt", 500_000, 100_000, 1),
        ("fold", 1_000_000, 3_000_000, 1),
        ("waits", 1_000_000, 1_000_000, 1),
        ("fold.one", 1_500_000, 1_500_000, 2),
        ("waits", 1_500_000, 500_000, 2),
    ]
    assert found[1]["args"] == {
        "status": "ran", "executor": "finn-step@1", "entry": "fold", "key": "b" * 64, "peak_mib": "210",
    }  # fmt: skip


def test_rows_and_the_build_have_names_and_steps_without_times_are_left_out() -> None:
    trace = trace_events("digits", find_times(STEPS, 4.0, LOG))
    names = [event["args"]["name"] for event in trace["traceEvents"] if event["ph"] == "M"]
    assert names == ["bskernel digits", "row 1", "row 2"]
    assert slices(find_times(STEPS, 4.0, ())) == []


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 20)), max_size=12))
def test_steps_of_one_row_never_overlap_and_no_row_is_more_than_is_needed(spans: list[tuple[int, int]]) -> None:
    steps = tuple(
        StepTime(report=STEPS[0], number=at, begin=float(begin), end=float(begin + length + 1))
        for at, (begin, length) in enumerate(spans)
    )
    rows: dict[int, list[tuple[float, float]]] = {}
    for event in slices(Timeline(seconds=100.0, steps=steps)):
        rows.setdefault(event["tid"], []).append((event["ts"], event["ts"] + event["dur"]))
    for row in rows.values():
        ordered = sorted(row)
        assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(ordered))
    most = max((sum(b <= at < b + n + 1 for b, n in spans) for at, _ in spans), default=0)
    assert len(rows) == most
