"""What the points of [sweep] set: combinations, ranges, conditions, limits."""

from __future__ import annotations

import contextlib
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel.config import Span
from bskernel.config.assignments import ConfigText
from bskernel.core.errors import ConfigError
from bskernel.expr.ast import quantities_in, text_of
from bskernel.expr.parser import ExpressionError, parse
from bskernel.sweeps.points.keys import Keys
from bskernel.sweeps.points.points import PointNames, Points, read_section
from bskernel.sweeps.points.ranges import size, values
from hypothesis import given
from hypothesis import strategies as st

BASE = """
[build]
model = "net.onnx"
[target]
clock_ns = 5
part = "xc7z020"
[executors]
finn-step = "finn-plus-1.6.1"
[parameters.finn-step]
standalone = true
"""
FPS, CLOCK, PART = "target.target_fps", "target.clock_ns", "target.part"


def points_of(sweep: str) -> Points:
    data = msgspec.toml.decode(BASE + sweep)
    text = ConfigText(path=Path("/b.toml"), data=data)
    base = {key: value for key, value in data.items() if key != "sweep"}
    return Points(read_section(text), Keys(ConfigText(path=text.path, data=base)))


def settings_of(sweep: str) -> tuple[dict[str, Any], ...]:
    return points_of(sweep).all()


def refusal(sweep: str) -> str:
    with pytest.raises(ConfigError) as caught:
        settings_of(sweep)
    return f"{caught.value.message} -> {caught.value.hint}"


def test_a_grid_is_every_combination_and_its_last_key_changes_fastest() -> None:
    assert settings_of(f'[sweep.grid]\n"{FPS}" = [1, 2]\n"{CLOCK}" = [4, 5]') == (
        {FPS: 1, CLOCK: 4.0},
        {FPS: 1, CLOCK: 5.0},
        {FPS: 2, CLOCK: 4.0},
        {FPS: 2, CLOCK: 5.0},
    )


def test_keys_of_a_zip_change_together_beside_the_grid_and_points_of_their_own_follow() -> None:
    sweep = f"""
    [sweep.grid]
    "{FPS}" = [1, 2]
    [sweep.zip]
    "{PART}" = ["a", "b"]
    "{CLOCK}" = {{ from = 2, to = 4, count = 2 }}
    [[sweep.point]]
    "build.salt" = "x"
    [[sweep.point]]
    """
    assert settings_of(sweep) == (
        {FPS: 1, PART: "a", CLOCK: 2.0},
        {FPS: 1, PART: "b", CLOCK: 4.0},
        {FPS: 2, PART: "a", CLOCK: 2.0},
        {FPS: 2, PART: "b", CLOCK: 4.0},
        {"build.salt": "x"},
        {},
    )


def test_equal_points_are_one_also_where_their_values_are_written_in_two_ways() -> None:
    assert settings_of(f'[sweep.grid]\n"{CLOCK}" = [5, 5.0, 4]\n[[sweep.point]]\n"{CLOCK}" = 4.0') == (
        {CLOCK: 5.0},
        {CLOCK: 4.0},
    )


@pytest.mark.parametrize(
    ("span", "expected"),
    [
        (Span(start=1, end=10, step=3), (1, 4, 7, 10)),
        (Span(start=1, end=9, step=3), (1, 4, 7)),
        (Span(start=1, end=2, step=0.5), (1.0, 1.5, 2.0)),
        (Span(start=0.1, end=0.5, step=0.1), (0.1, 0.2, 0.3, 0.4, 0.5)),
        (Span(start=1, end=10, count=4), (1, 4, 7, 10)),
        (Span(start=1, end=10, count=3), (1.0, 5.5, 10.0)),
        (Span(start=1.0, end=4, count=4), (1.0, 2.0, 3.0, 4.0)),
        (Span(start=7, end=7, count=1), (7,)),
        (Span(start=1, end=1000, count=4, log=True), (1, 10, 100, 1000)),
        (Span(start=1, end=4, count=5, log=True), (1, 2, 3, 4)),  # 1, 1.41, 2, 2.83, 4
        (Span(start=0.25, end=4.0, count=5, log=True), (0.25, 0.5, 1.0, 2.0, 4.0)),
        (Span(start=-2, end=2, step=2), (-2, 0, 2)),
    ],
)
def test_a_range_has_these_values(span: Span, expected: tuple[float, ...]) -> None:
    found = values(span, "here")
    assert found == pytest.approx(expected)
    assert [type(value) for value in found] == [type(value) for value in expected]


NUMBERS = st.one_of(st.integers(-(10**6), 10**6), st.floats(-1e6, 1e6).map(lambda value: round(value, 3)))


@given(NUMBERS, NUMBERS, st.integers(2, 50))
def test_a_range_by_count_holds_both_ends_and_goes_up(one: float, other: float, count: int) -> None:
    span = Span(start=min(one, other), end=max(one, other), count=count)
    found = values(span, "here")
    assert (found[0], found[-1]) == (span.start, span.end)
    assert list(found) == sorted(set(found))
    assert len(found) == (count if span.start != span.end else 1)


@given(NUMBERS, st.integers(0, 200), st.decimals(min_value="0.001", max_value="1000", places=3).map(float))
def test_a_range_by_step_holds_each_multiple_up_to_its_end(start: float, number: int, step: float) -> None:
    end = float(Fraction(repr(start)) + number * Fraction(repr(step)))
    found = values(Span(start=start, end=end, step=step), "here")
    assert len(found) == size(Span(start=start, end=end, step=step), "here") == number + 1
    assert found[-1] == pytest.approx(end)


@given(st.floats(1e-6, 1e6), st.floats(1, 1e6), st.integers(2, 40))
def test_a_log_range_has_equal_ratios_and_its_very_ends(start: float, ratio: float, count: int) -> None:
    found = values(Span(start=start, end=start * ratio, count=count, log=True), "here")
    assert (found[0], found[-1]) == (start, start * ratio)
    if len(found) == count:
        assert all(
            math.isclose(found[at + 1] / found[at], ratio ** (1 / (count - 1)), rel_tol=1e-6)
            for at in range(count - 1)
        )


def test_a_range_too_long_to_be_made_is_counted_before_it_is() -> None:
    told = refusal(f'[sweep.grid]\n"{FPS}" = {{ from = 1, to = 1000000000000, step = 1 }}\n"{CLOCK}" = [1, 2]')
    assert "2000000000000 points exceed [sweep] max_points = 10000" in told
    told = refusal(
        f'[sweep.grid]\n"{FPS}" = {{ from = 1, to = 9, count = 1000000000000 }}\n[sweep.search]\ntrials = 2'
    )
    assert "exceed [sweep] max_points = 10000" in told


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("target.target_fps * target.clock_ns < 8", [{FPS: 1, CLOCK: 4.0}, {FPS: 1, CLOCK: 5.0}]),
        ('target.part == "xc7z020" and target.target_fps == 2', [{FPS: 2, CLOCK: 4.0}, {FPS: 2, CLOCK: 5.0}]),
        (
            "executors.finn-step != 'finn-plus-1.6.1' or target.clock_ns - 1 >= 4",
            [{FPS: 1, CLOCK: 5.0}, {FPS: 2, CLOCK: 5.0}],
        ),
        (
            "parameters.finn-step.standalone == true and target.clock_ns == 4 and not target.target_fps > 1",
            [{FPS: 1, CLOCK: 4.0}],
        ),
        ('target.board != "ZCU104" and target.clock_ns + target.target_fps == 7', [{FPS: 2, CLOCK: 5.0}]),
        ("target.part and not target.board and target.clock_ns * target.target_fps > 9", [{FPS: 2, CLOCK: 5.0}]),
    ],
)  # fmt: skip
def test_points_are_left_out_by_their_own_keys_and_by_those_of_the_file(
    condition: str, expected: list[dict[str, Any]]
) -> None:
    grid = f'[sweep.grid]\n"{FPS}" = [1, 2]\n"{CLOCK}" = [4, 5]'
    assert list(settings_of(f"[sweep]\nwhen = {condition!r}\n{grid}".replace("\\'", "'"))) == expected


@pytest.mark.parametrize(
    ("sweep", "words"),
    [
        ("[sweep]", ["no points"]),
        ('[sweep]\nmaximise = "x"', ["unknown key 'maximise' at [sweep]", "did you mean 'maximize'"]),
        ('[sweep]\nwhen = "target.clock_ns < 1"\n[[sweep.point]]', ["sweep.when excludes all 1 points"]),
        ('[sweep]\nwhen = "target.clok_ns < 1"\n[[sweep.point]]', ["sweep.when", "did you mean 'clock_ns'"]),
        ('[sweep]\nwhen = "target.target_fps < 1"\n[[sweep.point]]', ["sweep.when", "target.target_fps is not set"]),
        ('[sweep]\nwhen = "target.part < 1"\n[[sweep.point]]', ["target.part is 'xc7z020', which is not a number"]),
        ('[sweep]\nwhen = "target.board"\n[[sweep.point]]', ["sweep.when excludes all 1 points"]),
        ('[sweep]\nwhen = "target.clock_ns+1"\n[[sweep.point]]', ["sweep.when", "column 1: a comparison is needed"]),
        ('[sweep]\nwhen = "target.clock_ns = 1"\n[[sweep.point]]', ["sweep.when", "column 17"]),
        ('[sweep.zip]\n"target.part" = ["a"]\n"target.clock_ns" = [1, 2]', ["sweep.zip", "target.clock_ns has 2"]),
        ('[sweep.grid]\n"target.clock_ns" = { from = 1, to = 2 }', ["a step or a count", "[sweep.search]"]),
        ('[sweep.grid]\n"target.clock_ns" = { from = 3, to = 2, count = 2 }', ["before the start"]),
        ('[sweep.grid]\n"target.clock_ns" = { from = 1, to = 2, count = 1 }', ["equal ends"]),
        ('[sweep.grid]\n"target.clock_ns" = { from = 1, to = inf, step = 1 }', ["must be a finite number"]),
        ('[sweep.grid]\n"target.clock_ns" = [nan]', ['"target.clock_ns"', "not nan"]),
        ('[sweep.grid]\n"target.clock_ns" = 5', ['sweep.grid."target.clock_ns"', "not a list of values"]),
        ("[sweep.grid]\ntarget.clock_ns = [5]", ["in quotes", '"target.clock_ns" = [...]']),
        ('[sweep.grid]\n"target.clock_ns" = { from = 0, to = 1, count = 2 }', ["above 0, not 0"]),
        ('[sweep.grid]\n"target.target_fps" = { from = 1, to = 2.5 }\n[sweep.search]\ntrials = 2', ["2.5", "whole"]),
        ('[sweep.grid]\n"parameters.x.y" = [1979-05-27]', ['sweep.grid."parameters.x.y"']),
        ('[sweep]\nmax_points = 1\n[sweep.grid]\n"target.clock_ns" = [1, 2]', ["2 points exceed", "max_points = 2"]),
        ('[sweep.grid]\n"target.clock_ns.x" = [1]', ["'target.clock_ns' is not a table"]),
        ('[sweep.grid]\n"target." = [1]', ["unknown key ''"]),
        ('[[step]]\nentry = "x"\n[sweep.grid]\n"step.a.executor" = [1]', ["'step' is not a table", "a flow.toml"]),
    ],
)  # fmt: skip
def test_a_sweep_that_cannot_be_is_refused_by_its_key(sweep: str, words: list[str]) -> None:
    told = refusal(sweep)
    assert told.startswith(("/b.toml: sweep", "/b.toml: unknown key"))
    for word in words:
        assert word in told


def test_a_condition_that_cannot_be_said_names_its_point() -> None:
    told = refusal(f'[sweep]\nwhen = "{FPS} < 9"\n[[sweep.point]]\n"{FPS}" = 1\n[[sweep.point]]\n"{CLOCK}" = 4')
    assert "target.target_fps is not set (the point with target.clock_ns = 4.0)" in told


def test_a_search_plans_the_points_that_are_given_and_may_choose_between_two_ends() -> None:
    grid = f'[sweep.grid]\n"{CLOCK}" = {{ from = 2, to = 5 }}'
    points = points_of(f'{grid}\n[[sweep.point]]\n"{CLOCK}" = 3\n[sweep.search]\ntrials = 9')
    assert points.all() == ({CLOCK: 3.0},)


def test_a_name_is_that_of_its_settings_whatever_others_there_are() -> None:
    one, other = PointNames(), PointNames()
    other.of({FPS: 3})
    assert one.of({FPS: 1, CLOCK: 2.0}) == other.of({CLOCK: 2.0, FPS: 1}) == one.of({FPS: 1, CLOCK: 2.0})
    assert one.of({FPS: 1}) != one.of({FPS: 2})


def test_points_whose_digests_begin_alike_have_names_of_their_own() -> None:
    names = PointNames()
    taken = names.of({FPS: 1})
    forged = PointNames()
    forged._digests = {taken: "another"}
    longer = forged.of({FPS: 1})
    assert longer.startswith(taken)
    assert longer != taken
    assert forged.of({FPS: 1}) == longer


TEXTS = st.text(st.characters(exclude_characters='"\n', codec="utf-8"), max_size=6)
KEYS = st.from_regex(r"[a-z_][a-z0-9_-]{0,4}(\.[a-z0-9_-]{1,4}){0,2}", fullmatch=True).filter(
    lambda key: key not in {"and", "or", "not", "true", "false"}
)


@given(KEYS, TEXTS)
def test_a_condition_over_keys_is_read_as_it_is_written(key: str, text: str) -> None:
    condition = parse(f'{key} == "{text}" or not {key} != true', keys=True)
    assert text_of(condition) == f'{key} == "{text}" or not {key} != true'
    assert {quantity.name for quantity in quantities_in(condition)} == {key}
    assert parse(text_of(condition), keys=True) != parse("a == 1", keys=True)


@given(st.text(max_size=30))
def test_whatever_is_no_condition_over_keys_is_refused_as_such(text: str) -> None:
    with contextlib.suppress(ExpressionError):
        assert parse(text_of(parse(text, keys=True)), keys=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 1: expected a number, a key, a text in quotes or '(', found the end"),
        ("target.part == 'x", 'column 16: "\'" cannot stand here'),
        ("target.part = 'x'", "column 13: '=' cannot stand here: write `==`"),
        ("(a < 1) + 2 > 1", "column 1: a number is needed here, not a condition"),
        ("a and 'x'", "column 7: a comparison is needed here, e.g. `target.clock_ns < 5`"),
        ("true", "column 1: a comparison is needed here"),
        ("a@synth < 1", "column 2: '@' cannot stand here"),
    ],
)
def test_what_is_no_condition_over_keys_is_refused_with_its_column(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse(text, keys=True)
    assert str(refused.value).startswith(message)


def test_a_text_keeps_the_quotes_within_it() -> None:
    condition = parse("""a == 'say "x"' or a == "it's" """, keys=True)
    assert parse(text_of(condition), keys=True) == condition


def test_numbers_of_keys_that_are_too_large_are_refused_like_those_of_quantities() -> None:
    told = refusal(f'[sweep]\nwhen = "{" * ".join([FPS] * 60)} > 1"\n[[sweep.point]]\n"{FPS}" = 9000000000000000000')
    assert "is too large for a number" in told


def test_texts_and_hyphens_belong_to_keys_and_not_to_gates() -> None:
    for text in ('a == "b"', "a-b.c == 'x'"):
        with pytest.raises(ExpressionError):
            parse(text)
    assert {item.name for item in quantities_in(parse("a-b < 1"))} == {"a", "b"}
    assert {item.name for item in quantities_in(parse("a-b < 1", keys=True))} == {"a-b"}
