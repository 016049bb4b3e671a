"""The text of a value is the same whether the items that it lists are encoded with it, or were encoded before."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel.core import shared_json
from bskernel.core.shared_json import SharedJson
from bskernel.core.step_report import StepReport
from bskernel.result.build_result import BuildResult
from bskernel_protocol import Artifact, Digest, ProtocolError, pretty_json
from hypothesis import given
from hypothesis import strategies as st

TEXTS = st.text() | st.sampled_from(["steps", '\n  "steps": []', "\\n", "\r\n    ", "\u2028", "\x7f"])
PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=6)
RECORDS = st.dictionaries(TEXTS, VALUES, max_size=3)
ARTIFACTS = st.builds(Artifact, name=TEXTS, kind=st.just("file"), digest=st.just(Digest(sha256="0" * 64, size=1)))
REPORTS = st.builds(
    StepReport,
    name=TEXTS,
    executor=TEXTS,
    entry=TEXTS,
    status=st.just("ran"),
    record=RECORDS,
    outputs=st.lists(ARTIFACTS, max_size=2).map(tuple),
    items=st.lists(st.builds(StepReport, name=TEXTS, executor=TEXTS, entry=TEXTS, status=st.just("ran"))).map(tuple),
)


def result(steps: tuple[StepReport, ...], metrics: dict[str, Any] | None = None) -> BuildResult:
    return BuildResult(
        name="b",
        status="ok",
        runtime="none",
        directory=Path("/b"),
        seconds=1.5,
        steps=steps,
        artifacts={},
        metrics=metrics,
    )


@given(
    st.lists(st.lists(st.integers(0, 4), max_size=5), max_size=4), st.lists(REPORTS, min_size=5, max_size=5), RECORDS
)
def test_results_that_share_steps_have_the_text_that_each_has_alone(
    points: list[list[int]], reports: list[StepReport], metrics: dict[str, Any]
) -> None:
    texts: list[SharedJson[BuildResult]] = [SharedJson("steps", id), SharedJson("steps", by_value)]
    for text in texts:
        for numbers in points:
            one = result(tuple(reports[number] for number in numbers), metrics)
            assert text.encode(one) == pretty_json(one)


def by_value(report: StepReport) -> bytes:
    return msgspec.msgpack.encode(report)


def test_what_was_encoded_first_may_be_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_json, "_KNOWN", 1)
    text: SharedJson[BuildResult] = SharedJson("steps", id)
    reports = tuple(StepReport(name=name, executor="e", entry="e", status="ran") for name in "abab")
    assert [text.encode(result(reports)) for _ in range(2)] == [pretty_json(result(reports))] * 2


def test_what_cannot_be_encoded_is_named_as_ever() -> None:
    bad = StepReport(name="a", executor="e", entry="e", status="ran", record={"n": float("nan")})
    with pytest.raises(ProtocolError) as alone:
        pretty_json(result((bad,)))
    text: SharedJson[BuildResult] = SharedJson("steps", id)
    with pytest.raises(ProtocolError) as shared:
        text.encode(result((bad,)))
    assert str(shared.value) == str(alone.value)
