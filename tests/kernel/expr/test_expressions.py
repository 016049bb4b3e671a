"""The language of conditions: what it says, what it refuses, and that it never crashes."""

import contextlib
from typing import Any

import msgspec
import pytest
from bskernel.expr.ast import (
    Arithmetic,
    Condition,
    Logical,
    Negative,
    Not,
    Number,
    Operation,
    Quantity,
    Relation,
    Unjudgeable,
    Word,
    is_true,
    quantities_in,
    text_of,
)
from bskernel.expr.grammar import language
from bskernel.expr.parser import parse_quantity
from bskernel.result.comparison import ExpressionError, parse
from hypothesis import given, settings
from hypothesis import strategies as st

# Names with what could be mistaken in them: words of the language, exponents, what follows a dot.
FIRST, LATER = ["x", "LUT", "_1", "orbit", "notes", "e5", "based"], ["BRAM_18K", "9", "base", "and", "E5"]
NAMES = st.builds(
    lambda first, later: ".".join([first, *later]),
    st.sampled_from(FIRST),
    st.lists(st.sampled_from(LATER), max_size=2),
)
STAGES = st.none() | st.sampled_from(["estimate", "rtlsim", "routed"])
SIDES = st.sampled_from(["base", "new"])
LEAVES: st.SearchStrategy[Arithmetic] = st.builds(Quantity, SIDES, NAMES, STAGES) | st.builds(
    Number, st.floats(min_value=0, allow_infinity=False)
)
# Keys may hold hyphens, and begin with what are words of the language.
KEYS = st.sampled_from(["a", "target.clock_ns", "a-b.c-9", "and-x", "true-", "base", "base.x", "_.not", "nota"])
WORDS = st.one_of(
    st.booleans(),
    *(st.text(st.characters(exclude_characters=f"{quote}\n", codec="utf-8"), max_size=6) for quote in "\"'"),
)
KEY_LEAVES: st.SearchStrategy[Arithmetic] = (
    st.builds(Quantity, st.just("new"), KEYS)
    | st.builds(Number, st.floats(min_value=0, allow_infinity=False))
    | st.builds(Word, WORDS)
)


def conditions(leaves: st.SearchStrategy[Arithmetic]) -> st.SearchStrategy[Condition]:
    arithmetic: st.SearchStrategy[Arithmetic] = st.recursive(
        leaves,
        lambda inner: st.builds(Negative, inner) | st.builds(Operation, st.sampled_from("+-*/"), inner, inner),
        max_leaves=8,
    )
    relations = st.builds(Relation, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), arithmetic, arithmetic)
    found: st.SearchStrategy[Condition] = st.recursive(
        relations,
        lambda inner: st.builds(Not, inner) | st.builds(Logical, st.sampled_from(["and", "or"]), inner, inner),
        max_leaves=6,
    )
    return found


CONDITIONS, KEY_CONDITIONS = conditions(LEAVES), conditions(KEY_LEAVES)
PIECES = ["throughput", "base", "base.LUT", "@rtlsim", "@", ".", "0.98", "1e9", "1e999", "<", ">=", "=", "!", "-"]
PIECES += ["'x'", '"x"', "a-b", "true", "=", "9" * 400]
PIECES += ["*", "/", "**", "(", ")", "and", "or", "not", " ", "\n", "'", "é", "\0", "__import__", "[0]", ",", "²"]


def without_columns(node: Any) -> Any:
    if isinstance(node, Quantity):
        return msgspec.structs.replace(node, column=0)
    fields = {name: getattr(node, name) for name in node.__struct_fields__}
    return type(node)(**{k: without_columns(v) if isinstance(v, msgspec.Struct) else v for k, v in fields.items()})


def holds(text: str, **values: float) -> bool:
    return is_true(
        parse(text), lambda quantity: values[f"{'base_' if quantity.side == 'base' else ''}{quantity.name}"]
    )


@settings(deadline=None)
@given(CONDITIONS)
def test_what_is_written_out_parses_to_the_same(condition: Condition) -> None:
    assert without_columns(parse(text_of(condition))) == condition


@settings(deadline=None)
@given(KEY_CONDITIONS)
def test_what_is_written_out_of_keys_parses_to_the_same(condition: Condition) -> None:
    assert without_columns(parse(text_of(condition), keys=True)) == condition


@settings(deadline=None)
@given(
    st.text()
    | st.lists(st.sampled_from(PIECES), max_size=60).map("".join)
    | st.lists(st.sampled_from(PIECES)).map(" ".join),
    st.booleans(),
)
def test_any_text_is_a_condition_or_refused_at_a_column_that_it_has(text: str, keys: bool) -> None:
    try:
        condition = parse(text, keys=keys)
    except ExpressionError as error:
        column = error.column
    else:
        column = 1
        assert without_columns(parse(text_of(condition), keys=keys)) == without_columns(condition)
    assert 1 <= column <= len(text) + 1


@settings(deadline=None)
@given(CONDITIONS, st.floats(allow_nan=False, allow_infinity=False))
def test_a_condition_is_true_or_false_or_cannot_be_judged(condition: Condition, value: float) -> None:
    with contextlib.suppress(Unjudgeable):
        assert is_true(condition, lambda _: value) in {True, False}


@settings(deadline=None)
@given(KEY_CONDITIONS, st.none() | st.booleans() | st.text() | st.integers() | st.floats(allow_nan=False))
def test_a_condition_over_keys_is_true_or_false_or_cannot_be_judged(condition: Condition, value: Any) -> None:
    with contextlib.suppress(Unjudgeable):
        assert is_true(condition, lambda _: value) in {True, False}


SPACES = st.sampled_from(["", " ", "\t", "\n ", "\v"])
NAMED = [
    "x",
    "_1",
    "a.b.9",
    "a-b",
    "a-.c",
    "base",
    "base.x",
    "based",
    "x@s",
    "base@s",
    "or",
    "and@s",
    "not-x",
    "true",
    "9a",
]
RELATIONS = ["<", "<=", ">", ">=", "==", "!=", "=", "=<", "< ="]
NUMBERED = ["1", "1_0", "1__0", "1.", ".5", "1.5e-3", "1e", "1e999", "x", "-1", "\u0661", "1and"]


@settings(deadline=None, max_examples=500)
@given(
    st.tuples(
        SPACES, st.sampled_from(NAMED), SPACES, st.sampled_from(RELATIONS), SPACES, st.sampled_from(NUMBERED), SPACES
    ).map("".join)
    | st.tuples(SPACES, st.sampled_from(NAMED), SPACES).map("".join)
    | st.lists(st.sampled_from(PIECES), max_size=6).map("".join),
    st.booleans(),
)
def test_a_plain_text_is_read_as_the_grammar_reads_it(text: str, keys: bool) -> None:
    def outcome(read: Any) -> Any:
        try:
            return read()
        except ExpressionError as error:
            return str(error)

    assert outcome(lambda: parse(text, keys=keys)) == outcome(lambda: language(keys=keys).condition(text))
    assert outcome(lambda: parse_quantity(text)) == outcome(lambda: language(keys=False).quantity(text))


@pytest.mark.parametrize("keys", [False, True])
@pytest.mark.parametrize("text", ["(" * 5000, "-" * 5000 + "1 < 2", "not " * 5000, "1 < " + "1+" * 5000 + "1"])
def test_what_would_exhaust_the_stack_is_refused(text: str, keys: bool) -> None:
    with pytest.raises(ExpressionError, match=r"nested more than|more than 400"):
        parse(text, keys=keys)


@pytest.mark.parametrize(
    ("opening", "closing", "deepest"), [("(", ")", 38), ("not ", "", 38), ("1 < 2 and (", ")", 19)]
)
def test_nesting_has_a_limit_and_is_taken_up_to_it(opening: str, closing: str, deepest: int) -> None:
    assert parse(opening * deepest + "x < 1" + closing * deepest)
    with pytest.raises(ExpressionError, match="nested more than 40 deep"):
        parse(opening * (deepest + 1) + "x < 1" + closing * (deepest + 1))


def test_a_tree_holds_plain_values_under_the_tags_that_they_have_always_had() -> None:
    condition = parse("not a < 0.5 * b@synth or -base.c == base.d + 1")
    assert all(type(quantity.name) is type(quantity.stage or "") is str for quantity in quantities_in(condition))
    assert msgspec.to_builtins(condition)["type"] == "Logical"
    assert msgspec.to_builtins(condition)["left"]["type"] == "Not"
    relation = msgspec.to_builtins(condition)["right"]
    tags = [relation["type"], relation["left"]["type"], relation["right"]["type"], relation["right"]["right"]["type"]]
    assert tags == ["Comparing", "Negative", "Operation", "Number"]
    word = msgspec.to_builtins(parse("a == 'x'", keys=True))
    assert (word["left"]["type"], word["right"]["type"]) == ("Quantity", "Word")


def test_the_largest_expression_that_is_taken_can_be_judged_and_written() -> None:
    condition = parse("x < " + "1+" * 140 + "1 or " + "(" * 30 + "x > 1" + ")" * 30)
    assert is_true(condition, lambda _: 1.0)
    assert parse(text_of(condition)).operator == "or"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x < 0.98 * base", True),
        ("x + 1 * 2 == 12", True),
        ("(x + 1) * 2 == 22", True),
        ("x - 3 - 2 == 5", True),
        ("x / 5 / 2 == 1", True),
        ("-x * 2 == -20", True),
        ("x - -x == 20", True),
        ("not x < 5 and x < 20", True),
        ("not (x < 5 or x < 20)", False),
        ("x < 5 or x > 5 and x > 50", False),
        ("(x < 5 or x > 5) and x != 50", True),
        ("x >= 10 and x <= 1_0 and x == 1e1", True),
        ("x == 10. and x > .5", True),
        ("0 != 1 and base.x == 2 * x", True),
    ],
)
def test_operators_bind_as_in_arithmetic(text: str, expected: bool) -> None:
    assert holds(text, x=10, base_x=20) is expected


def test_a_stage_belongs_to_the_name_before_it() -> None:
    (first, second) = quantities_in(parse("0.98 * base.LUT@synth > resources.LUT@routed"))
    assert (first.side, first.name, first.stage) == ("base", "LUT", "synth")
    assert (second.side, second.name, second.stage) == ("new", "resources.LUT", "routed")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("throughput < 0.98 * base", "throughput < 0.98 * base.throughput"),
        ("throughput@rtlsim < base", "throughput@rtlsim < base.throughput@rtlsim"),
        ("base@estimate / 2 > throughput@rtlsim", "base.throughput@estimate / 2 > throughput@rtlsim"),
        ("LUT > base or DSP > base + 1", "LUT > base.LUT or DSP > base.DSP + 1"),
        ("LUT - base > 0.1 * base", "LUT - base.LUT > 0.1 * base.LUT"),
    ],
)
def test_a_lone_base_is_the_quantity_that_its_comparison_names(text: str, meant: str) -> None:
    assert text_of(parse(text)) == meant


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 1: expected a number, a quantity or '(', found the end"),
        ("throughput < ", "column 14: expected a number, a quantity or '(', found the end"),
        ("throughput << 3", "column 13: expected a number, a quantity or '(', found '<'"),
        ("throughput = 3", "column 12: '=' cannot stand here"),
        ("throughput < 3 %", "column 16: '%' cannot stand here"),
        ("throughput < 3 LUT", "column 16: expected an operator or the end, found 'LUT'"),
        ("(throughput < 3", "column 16: expected ')' or an operator, found the end"),
        ("throughput", "column 1: a comparison is needed here"),
        ("1 < throughput < 3", "column 16: comparisons do not chain: write `and`"),
        ("throughput + (LUT < 3) > 1", "column 14: a number is needed here, not a condition"),
        ("LUT < 3 and DSP", "column 13: a comparison is needed here"),
        ("not LUT", "column 5: a comparison is needed here"),
        ("throughput@ < 3", "column 11: '@' cannot stand here"),
        ("LUT < 1e999", "column 7: 1e999 is too large for a number"),
        ("3 < base", "column 5: `base` could be nothing that is compared with it: write base.NAME"),
        ("LUT / DSP < base", "column 13: `base` could be DSP or LUT: write base.NAME"),
        ("__import__('os') < 1", 'column 12: "\'" cannot stand here'),
    ],
)
def test_what_is_no_condition_is_refused_with_its_column(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        parse(text)
    assert str(refused.value).startswith(message)


def test_and_and_or_look_at_their_right_side_only_when_it_matters() -> None:
    assert not holds("base.x != 0 and x / base.x > 2", x=1, base_x=0)
    with pytest.raises(Unjudgeable, match=r"base\.x is 0, and is divided by"):
        holds("x / base.x > 2", x=1, base_x=0)
    with pytest.raises(Unjudgeable, match="too large"):
        holds("x * 1e300 > 2", x=1e300)
