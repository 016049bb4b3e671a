"""Which builds a query means; dates as people write them."""

import contextlib
import datetime as dt
from pathlib import Path
from typing import Any

import click
import pytest
from bskernel.cli.units import since, until
from bskernel.core.errors import ConfigError
from bskernel.history.past_build import History, PastBuild
from bskernel.history.query import Query, select
from bskernel.result.quantities import FoundQuantity
from hypothesis import given
from hypothesis import strategies as st

NOON = dt.datetime(2026, 11, 29, 12, tzinfo=dt.UTC)


def build(name: str, **values: Any) -> PastBuild:
    known: dict[str, Any] = {
        "directory": Path(name),
        "name": name,
        "status": "ok",
        "ended": NOON,
        "seconds": 1.0,
        "runtime": "process",
        "model": "models/net.v2.onnx",
        "model_sha256": "ab12cd" + 58 * "0",
        "executors": {"finn-step@1.6.1": "f00ba2" + 58 * "0"},
    }
    return PastBuild(**known | values)


def number(value: float, stage: str = "estimate", name: str = "resources.LUT") -> FoundQuantity:
    return FoundQuantity(name=name, value=value, unit="count", stage=stage, source="s")


def selected(builds: list[PastBuild], **query: Any) -> list[str]:
    return [one.name for one in select(History(builds=tuple(builds)), Query(**query)).builds]


@pytest.mark.parametrize("text", ["models/net.v2.onnx", "net.v2.onnx", "net.v2", "ab12cd", "sha256:AB12CD00"])
def test_a_model_is_named_by_its_path_name_or_digest(text: str) -> None:
    assert selected([build("b")], model=text) == ["b"]


@pytest.mark.parametrize("text", ["net", "onnx", "ab12c", "2cd000", "", "sha256:"])
def test_a_part_of_a_name_and_a_few_digits_are_no_model(text: str) -> None:
    assert selected([build("b")], model=text) == []


@pytest.mark.parametrize(
    ("texts", "meant"),
    [
        (("finn-step",), True),
        (("finn-step@1.6.1", "f00ba2"), True),
        (("finn-step@1",), False),
        (("finn-step", "metrics"), False),
    ],
)
def test_a_build_has_all_of_the_named_executors(texts: tuple[str, ...], meant: bool) -> None:
    assert selected([build("b")], executors=texts) == (["b"] if meant else [])


def test_what_a_build_does_not_say_of_itself_is_never_found() -> None:
    silent = build("b", model=None, model_sha256=None, executors={"finn-step@1.6.1": None})
    assert selected([silent], model="None") == []
    assert selected([silent], executors=("f00ba2",)) == []
    assert selected([silent], executors=("finn-step",)) == ["b"]


def test_both_ends_of_a_range_of_time_belong_to_it() -> None:
    minute = dt.timedelta(minutes=1)
    assert selected([build("b")], since=NOON, until=NOON) == ["b"]
    assert selected([build("b")], since=NOON + minute) == []
    assert selected([build("b")], until=NOON - minute) == []


def test_a_condition_reads_the_stage_that_it_names_or_the_latest() -> None:
    both = build("b", quantities=(number(100), number(200, "synth")))
    assert selected([both], where=("LUT > 150",)) == ["b"]
    assert selected([both], where=("LUT@estimate > 150",)) == []


def test_a_build_that_breaks_a_condition_is_out_even_if_another_condition_has_no_answer() -> None:
    builds = [
        build("few", quantities=(number(1),)),
        build("many", quantities=(number(9),)),
        build("power", quantities=(number(9), number(2, name="power"))),
    ]
    found = select(History(builds=tuple(builds)), Query(where=("LUT > 5", "power < 3")))
    assert [one.name for one in found.builds] == ["power"]
    assert [(one.directory.name, one.reason) for one in found.unjudged] == [
        ("many", "power < 3 cannot be judged: power is missing")
    ]


def test_a_condition_without_a_second_build_has_no_base() -> None:
    with pytest.raises(ConfigError, match="one build alone has no base"):
        selected([build("b", quantities=(number(1),))], where=("LUT < base",))


@given(st.dates(min_value=dt.date(1970, 1, 3), max_value=dt.date(2200, 1, 1)))
def test_a_date_means_its_whole_day(day: dt.date) -> None:
    first, last = since(day.isoformat()), until(day.isoformat())
    midnight = dt.datetime.combine(day, dt.time()).astimezone()
    assert first == midnight
    assert midnight < last < midnight + dt.timedelta(days=1, hours=2)  # a day on which the clock is put back
    assert since(f"{day.isoformat()}T12:00+00:00") == until(f"{day.isoformat()}T12:00:00Z")


@given(st.text() | st.from_regex(r"\d{4}-\d\d(-\d\d)?(T\d\d:\d\d)?([+-]\d\d:\d\d)?", fullmatch=True))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    with contextlib.suppress(click.BadParameter):
        assert since(text).tzinfo is dt.UTC
