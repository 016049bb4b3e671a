"""From text to a gate's condition.

A parser of its own and not Python's: to Python `0.98 * base.LUT@synth` is `(0.98 * base.LUT) @ synth`, here a stage
belongs to the name before it; and what is not in this grammar need not be forbidden, for it cannot be said.

Conditions over the keys of a build have the same grammar with keys for quantities, which may hold a hyphen, so that a
minus between two of them needs a space; and with texts in quotes, true and false.
"""

from __future__ import annotations

import math
import re
from typing import NoReturn

import msgspec

from bskernel.expr.ast import (
    BINDING,
    COMPARING,
    NOT,
    OR,
    SIGN,
    Arithmetic,
    Comparing,
    Condition,
    Logical,
    Negative,
    Node,
    Not,
    Number,
    Operation,
    Quantity,
    Word,
    quantities_in,
)

# Beyond these a text is no gate that anybody has written, and a deep tree would exhaust the stack.
MOST_TOKENS, DEEPEST = 400, 40
_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
        (?P<number>(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z0-9_]+)*)(?:@(?P<stage>[A-Za-z_][A-Za-z0-9_]*))?
      | (?P<sign><=|>=|==|!=|[-+*/()<>])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_KEYS_TOKEN = re.compile(
    r"""[ \t\r\n]*(?:
        (?P<number>(?:[0-9]+(?:_[0-9]+)*(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
      | (?P<name>[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]+)*)(?P<stage>(?!))?
      | (?P<text>"[^"\n]*"|'[^'\n]*')
      | (?P<sign><=|>=|==|!=|[-+*/()<>])
      | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_TRUTHS = {"true": True, "false": False}
_BASE = "base"
_WANTED = "a number, a quantity or '('"


class ExpressionError(ValueError):
    """A text that is no condition: what is wrong, at which column (from 1)."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.column = column


class _Token(msgspec.Struct, frozen=True):
    kind: str  # number, name, text, word (and, or, not), sign, end
    text: str
    column: int
    stage: str | None = None


def _tokens(text: str, pattern: re.Pattern[str]) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while not tokens or tokens[-1].kind != "end":
        match = pattern.match(text, at)
        if match is None:
            column = at + len(text[at:]) - len(text[at:].lstrip(" \t\r\n"))
            raise ExpressionError(f"{text[column]!r} cannot stand here", column + 1)
        kind = next(kind for kind, part in match.groupdict().items() if kind != "stage" and part is not None)
        column = match.start(kind) + 1
        if len(tokens) >= MOST_TOKENS:
            raise ExpressionError(f"more than {MOST_TOKENS} numbers, names and signs", column)
        if match[kind] in {"and", "or", "not"} and match["stage"] is None:
            kind = "word"
        tokens.append(_Token(kind, match[kind if kind != "word" else "name"], column, match["stage"]))
        at = match.end()
    return tokens


class _Parser:
    def __init__(self, text: str, *, keys: bool) -> None:
        self._keys = keys
        self._tokens = _tokens(text, _KEYS_TOKEN if keys else _TOKEN)
        self._at = 0
        self._depth = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _take(self) -> _Token:
        token = self._next
        self._at += 1
        return token

    def _refuse(self, wanted: str) -> NoReturn:
        token = self._next
        found = "the end" if token.kind == "end" else repr(token.text)
        raise ExpressionError(f"expected {wanted}, found {found}", token.column)

    def whole(self) -> Condition:
        column = self._next.column
        node = _condition(self._expression(OR), column)
        if self._next.kind != "end":
            self._refuse("an operator or the end")
        return node

    def quantity(self) -> Quantity:
        token = self._next
        if token.kind != "name" or token.text.partition(".")[0] == _BASE:
            self._refuse("a quantity, such as throughput or LUT@synth")
        self._take()
        if self._next.kind != "end":
            self._refuse("the end")
        return Quantity("new", token.text, token.stage, token.column)

    def _expression(self, least: int) -> Node:
        column = self._next.column
        self._depth += 1
        if self._depth > DEEPEST:
            raise ExpressionError(f"nested more than {DEEPEST} deep", column)
        left = self._first()
        while self._next.kind in {"sign", "word"} and BINDING.get(self._next.text, 0) >= least:
            operator = self._take()
            right_column = self._next.column
            right = self._expression(BINDING[operator.text] + 1)
            left = _combine(operator, left, column, right, right_column)
        self._depth -= 1
        return left

    def _first(self) -> Node:
        token = self._next
        if token.kind == "number":
            value = float(self._take().text)
            if not math.isfinite(value):
                raise ExpressionError(f"{token.text} is too large for a number", token.column)
            return Number(value)
        if token.kind == "text":
            return Word(self._take().text[1:-1])
        if token.kind == "name" and self._keys:
            self._take()
            truth = _TRUTHS.get(token.text)
            return Quantity("new", token.text, None, token.column) if truth is None else Word(truth)
        if token.kind == "name":
            self._take()
            if token.text == _BASE:
                return Quantity("base", "", token.stage, token.column)
            side, _, name = token.text.partition(".")
            if side == _BASE:
                return Quantity("base", name, token.stage, token.column)
            return Quantity("new", token.text, token.stage, token.column)
        if token.kind == "word" and token.text == "not":
            self._take()
            column = self._next.column
            return Not(_condition(self._expression(NOT), column))
        if token.text == "-" or token.text == "(":
            self._take()
            column = self._next.column
            if token.text == "-":
                return Negative(_arithmetic(self._expression(SIGN), column))
            inner = self._expression(OR)
            if self._next.text != ")":
                self._refuse("')' or an operator")
            self._take()
            return inner
        self._refuse(_WANTED)
        return None


def _arithmetic(node: Node, column: int) -> Arithmetic:
    if isinstance(node, Comparing | Not | Logical):
        raise ExpressionError("a number is needed here, not a condition", column)
    return node


def _condition(node: Node, column: int) -> Condition:
    if not isinstance(node, Comparing | Not | Logical):
        raise ExpressionError("a comparison is needed here, such as `throughput < 0.98 * base`", column)
    return node


def _combine(operator: _Token, left: Node, left_column: int, right: Node, right_column: int) -> Node:
    binds = BINDING[operator.text]
    if binds < COMPARING:
        return Logical(operator.text, _condition(left, left_column), _condition(right, right_column))
    if binds == COMPARING and isinstance(left, Comparing):
        raise ExpressionError("comparisons do not chain: write `and`", operator.column)
    sides = _arithmetic(left, left_column), _arithmetic(right, right_column)
    if binds > COMPARING:
        return Operation(operator.text, *sides)
    return _with_base(Comparing(operator.text, *sides))


def _with_base(comparing: Comparing) -> Comparing:
    """A lone `base` is the one quantity that its comparison names."""
    found = list(quantities_in(comparing))
    lone = next((quantity for quantity in found if not quantity.name), None)
    if lone is None:
        return comparing
    beside = {(quantity.name, quantity.stage) for quantity in found if quantity.side == "new"}
    if len(beside) != 1:
        names = " or ".join(sorted({name for name, _ in beside})) or "nothing that is compared with it"
        raise ExpressionError(f"`base` could be {names}: write base.NAME", lone.column)
    ((name, stage),) = beside

    def fill(node: Arithmetic) -> Arithmetic:
        if isinstance(node, Quantity) and not node.name:
            return Quantity("base", name, node.stage or stage, node.column)
        if isinstance(node, Negative):
            return Negative(fill(node.operand))
        if isinstance(node, Operation):
            return Operation(node.operator, fill(node.left), fill(node.right))
        return node

    return Comparing(comparing.operator, fill(comparing.left), fill(comparing.right))


def parse(text: str, *, keys: bool = False) -> Condition:
    """The condition that a text says, over quantities or over `keys` of a build.

    Raises ExpressionError, and nothing else, for a text that says none.
    """
    return _Parser(text, keys=keys).whole()


def parse_quantity(text: str) -> Quantity:
    """The quantity that a text names: NAME or NAME@STAGE. Raises ExpressionError."""
    return _Parser(text, keys=False).quantity()
