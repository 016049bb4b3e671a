"""The grammar of conditions, read by Lark, and the tree that it builds.

Lark's import and the tables of the grammar take longer than a whole cached build: `parser` imports this module when a
condition is parsed.

In Python, `0.98 * base.LUT@synth` is `(0.98 * base.LUT) @ synth`; here a stage is part of the name before it.
"""

from __future__ import annotations

import functools
import itertools
import math
from typing import cast

import msgspec
from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken, v_args

from bskernel.expr.ast import (
    BINDING,
    RELATION,
    Arithmetic,
    Condition,
    Logical,
    Negative,
    Node,
    Not,
    Number,
    Operation,
    Quantity,
    Relation,
    Word,
    quantities_in,
)
from bskernel.expr.errors import ExpressionError
from bskernel.expr.tokens import BASE, KEY, NUMBER, QUANTITY, SPACE, TRUTHS

# Nobody writes a condition beyond these, and a deep tree would exhaust the stack.
MOST_TOKENS, DEEPEST = 400, 40

# What a condition and what a number is, the builder decides: its messages say more than "unexpected token".
GRAMMAR = rf"""
?condition: conjunction | condition OR conjunction -> binary
?conjunction: negation | conjunction AND negation -> binary
?negation: relation | NOT negation -> prefix
?relation: sum | relation RELATION sum -> binary
?sum: product | sum (PLUS | MINUS) product -> binary
?product: signed | product (STAR | SLASH) signed -> binary
?signed: atom | MINUS signed -> prefix
?atom: NUMBER -> number | NAME -> name | LPAR condition RPAR -> group
quantity: NAME -> name

OR: "or"
AND: "and"
NOT: "not"
RELATION: "<=" | ">=" | "==" | "!=" | "<" | ">"
PLUS: "+"
MINUS: "-"
STAR: "*"
SLASH: "/"
LPAR: "("
RPAR: ")"
NUMBER: /{NUMBER}/
%ignore /{SPACE}+/
"""
QUANTITIES = rf"""
NAME: /{QUANTITY}/
"""
# Only keys can be texts.
KEYS = rf"""
NAME: /{KEY}/
TEXT: /"[^"\n]*"|'[^'\n]*'/
%extend atom: TEXT -> text
"""
_QUANTITY = "a quantity, e.g. throughput or LUT@synth"


class _Part(msgspec.Struct, frozen=True):
    """A part of the text that has been read: its tree, where it begins, how deep it is nested."""

    node: Node
    column: int
    nesting: int = 0


def _column(token: Token) -> int:
    return (token.start_pos or 0) + 1


@v_args(inline=True)
class _Builder(Transformer[Token, _Part]):
    def __init__(self, *, keys: bool) -> None:
        super().__init__()
        self._keys = keys

    def number(self, token: Token) -> _Part:
        value = float(token)
        if not math.isfinite(value):
            raise ExpressionError(f"{token} is too large for a number", _column(token))
        return _Part(Number(value), _column(token))

    def text(self, token: Token) -> _Part:
        return _Part(Word(token[1:-1]), _column(token))

    def name(self, token: Token) -> _Part:
        column = _column(token)
        if self._keys:
            truth = TRUTHS.get(token)
            return _Part(Quantity("new", str(token), None, column) if truth is None else Word(truth), column)
        name, _, stage = str(token).partition("@")
        first, _, rest = name.partition(".")
        if first == BASE:
            return _Part(Quantity("base", rest, stage or None, column), column)
        return _Part(Quantity("new", name, stage or None, column), column)

    def group(self, opening: Token, inner: _Part, _closing: Token) -> _Part:
        return self._nested(inner.node, _column(opening), inner.nesting + 1)

    def prefix(self, operator: Token, operand: _Part) -> _Part:
        node = Negative(_arithmetic(operand)) if operator == "-" else Not(self.condition_of(operand))
        return self._nested(node, _column(operator), operand.nesting + 1)

    def binary(self, left: _Part, operator: Token, right: _Part) -> _Part:
        node = self._combined(left, operator, right)
        return self._nested(node, left.column, max(left.nesting, right.nesting + 1))

    def condition_of(self, part: _Part) -> Condition:
        if isinstance(part.node, Relation | Not | Logical):
            return part.node
        if self._keys and isinstance(part.node, Quantity):
            # A key alone holds when it is set: it equals itself then, and without a value it equals nothing.
            return Relation("==", part.node, part.node)
        example = "target.clock_ns < 5" if self._keys else "throughput < 0.98 * base"
        raise ExpressionError(f"a comparison is needed here, e.g. `{example}`", part.column)

    def _combined(self, left: _Part, operator: Token, right: _Part) -> Node:
        binds = BINDING[operator]
        if binds < RELATION:
            return Logical(str(operator), self.condition_of(left), self.condition_of(right))
        if binds == RELATION and isinstance(left.node, Relation):
            raise ExpressionError("comparisons do not chain: write `and`", _column(operator))
        sides = _arithmetic(left), _arithmetic(right)
        return Operation(str(operator), *sides) if binds > RELATION else _with_base(Relation(str(operator), *sides))

    def _nested(self, node: Node, column: int, nesting: int) -> _Part:
        if nesting >= DEEPEST:
            raise ExpressionError(f"nested more than {DEEPEST} deep", column)
        return _Part(node, column, nesting)


def _arithmetic(part: _Part) -> Arithmetic:
    if isinstance(part.node, Relation | Not | Logical):
        raise ExpressionError("a number is needed here, not a condition", part.column)
    return part.node


def _with_base(relation: Relation) -> Relation:
    """A lone `base` is the one quantity that its comparison names."""
    found = list(quantities_in(relation))
    lone = next((quantity for quantity in found if not quantity.name), None)
    if lone is None:
        return relation
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

    return Relation(relation.operator, fill(relation.left), fill(relation.right))


class Language:
    """The grammar with one meaning of names."""

    def __init__(self, *, keys: bool) -> None:
        self._keys = keys
        self._builder = _Builder(keys=keys)
        self._lark = Lark(
            GRAMMAR + (KEYS if keys else QUANTITIES),
            parser="lalr",
            lexer="basic",
            start=["condition", "quantity"],
            transformer=self._builder,
        )

    def condition(self, text: str) -> Condition:
        """Read a whole text as a condition. Raises ExpressionError."""
        return self._builder.condition_of(self._read(text, "condition"))

    def quantity(self, text: str) -> Quantity:
        """Read a whole text as the name of a quantity. Raises ExpressionError."""
        part = self._read(text, "quantity")
        if not isinstance(part.node, Quantity) or part.node.side == "base":
            raise ExpressionError(f"expected {_QUANTITY}, found {text.strip()!r}", part.column)
        return part.node

    def _read(self, text: str, start: str) -> _Part:
        try:
            tokens = list(itertools.islice(self._lark.lex(text), MOST_TOKENS + 1))
            if len(tokens) > MOST_TOKENS:
                raise ExpressionError(f"more than {MOST_TOKENS} numbers, names and signs", _column(tokens[-1]))
            return cast("_Part", self._lark.parse(text, start=start))  # not a Tree: the builder transforms it
        except UnexpectedCharacters as error:
            hint = ": write `==`" if error.char == "=" else ""
            raise ExpressionError(f"{error.char!r} cannot stand here{hint}", (error.pos_in_stream or 0) + 1) from None
        except UnexpectedToken as error:
            ended = error.token.type == "$END"
            found, column = ("the end", len(text) + 1) if ended else (repr(str(error.token)), _column(error.token))
            raise ExpressionError(f"expected {self._wanted(error.accepts)}, found {found}", column) from None

    def _wanted(self, terminals: set[str]) -> str:
        if terminals == {"NAME"}:
            return _QUANTITY
        if "NUMBER" in terminals:
            return "a number, a key, a text in quotes or '('" if self._keys else "a number, a quantity or '('"
        if "RPAR" in terminals:
            return "')' or an operator"
        return "the end" if terminals == {"$END"} else "an operator or the end"


@functools.cache
def language(*, keys: bool) -> Language:
    """Return the language whose names are keys of a build, or quantities of metrics."""
    return Language(keys=keys)
