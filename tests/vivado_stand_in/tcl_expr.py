"""Tcl's `expr`, as far as scripts for Vivado use it. For the STAND-IN."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable

from vivado_stand_in.tcl import Tcl, TclError, braced, bracketed

_TOKEN = re.compile(
    r"\s*(?:(?P<number>0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][-+]?\d+)?)|(?P<name>[a-z_]\w*)"
    r"|(?P<sign>\*\*|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%<>!~&|^?:(),]))"
)
_LEVELS: tuple[dict[str, Callable[..., object]], ...] = (
    {"|": lambda a, b: int(a) | int(b)},
    {"^": lambda a, b: int(a) ^ int(b)},
    {"&": lambda a, b: int(a) & int(b)},
    {"==": operator.eq, "!=": operator.ne, "eq": operator.eq, "ne": operator.ne},
    {"<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge},
    {"<<": lambda a, b: int(a) << int(b), ">>": lambda a, b: int(a) >> int(b)},
    {"+": operator.add, "-": operator.sub},
    {
        "*": operator.mul,
        "/": lambda a, b: a // b if isinstance(a, int) and isinstance(b, int) else a / b,
        "%": operator.mod,
    },
    {"**": operator.pow},
)
_FUNCTIONS: dict[str, Callable[..., object]] = {
    "int": lambda x: int(x), "round": lambda x: round(x), "min": min, "max": max, "abs": abs, "double": float,
}  # fmt: skip
Value = int | float | str


def value_of(text: str) -> Value:
    """A number where the text is one."""
    for kind in (lambda t: int(t, 0), int, float):
        try:
            return kind(text.strip())
        except ValueError:
            continue
    return text


class _Parser:
    def __init__(self, interpreter: Tcl, text: str) -> None:
        self.interpreter, self.text, self.at, self.live = interpreter, text, 0, True

    def peek(self) -> str | None:
        match = _TOKEN.match(self.text, self.at)
        return match["sign"] or match["name"] if match else None

    def take(self, wanted: str) -> None:
        match = _TOKEN.match(self.text, self.at)
        if match is None or match.group().strip() != wanted:
            raise TclError(f'syntax error in expression "{self.text}"')
        self.at = match.end()

    def ternary(self) -> Value:
        condition = self.logical()
        if self.peek() != "?":
            return condition
        self.take("?")
        yes = self.only(bool(condition), self.ternary)
        self.take(":")
        no = self.only(not condition, self.ternary)
        return yes if condition else no

    def only(self, live: bool, parse: Callable[[], Value]) -> Value:
        """Parse what is not evaluated unless it counts."""
        before, self.live = self.live, self.live and live
        try:
            return parse()
        finally:
            self.live = before

    def logical(self) -> Value:
        found = self.conjunction()
        while self.peek() == "||":
            self.take("||")
            right = self.only(not found, self.conjunction)
            found = int(bool(found) or bool(right))
        return found

    def conjunction(self) -> Value:
        found = self.binary(0)
        while self.peek() == "&&":
            self.take("&&")
            right = self.only(bool(found), lambda: self.binary(0))
            found = int(bool(found) and bool(right))
        return found

    def binary(self, level: int) -> Value:
        if level == len(_LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while (sign := self.peek()) in _LEVELS[level]:
            self.take(str(sign))
            right = self.binary(level + 1)
            if not self.live:
                continue
            texts = isinstance(left, str) or isinstance(right, str)
            if texts and sign not in {"==", "!=", "eq", "ne", "<", ">", "<=", ">="}:
                raise TclError(f'can\'t use non-numeric string as operand of "{sign}"')
            if texts:
                left, right = str(left), str(right)
            found = _LEVELS[level][str(sign)](left, right)
            left = int(found) if isinstance(found, bool) else found  # type: ignore[assignment]
        return left

    def unary(self) -> Value:
        sign = self.peek()
        if sign in {"-", "+", "!", "~"}:
            self.take(str(sign))
            value = self.unary()
            if not self.live:
                return 0
            if isinstance(value, str):
                raise TclError(f'can\'t use non-numeric string as operand of "{sign}"')
            return {"-": -value, "+": value, "!": int(not value), "~": ~int(value)}[str(sign)]
        return self.primary()

    def primary(self) -> Value:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        rest = self.text[self.at :]
        if rest.startswith("("):
            self.take("(")
            value = self.ternary()
            self.take(")")
            return value
        for opening, end in (("{", braced), ("[", bracketed)):
            if rest.startswith(opening):
                stop = end(self.text, self.at)
                inner, self.at = self.text[self.at : stop], stop
                if opening == "{":
                    return value_of(inner[1:-1])
                return value_of(self.interpreter.substitute(inner)) if self.live else 0
        match = re.match(r'"(?:[^"\\]|\\.)*"|\$\{[^}]*\}|\$(?:::)?\w+(?:::\w+)*(?:\(\w+\))?', rest)
        if match:
            self.at += match.end()
            text = match.group()
            text = text[1:-1] if text.startswith('"') else text
            return value_of(self.interpreter.substitute(text)) if self.live else 0
        token = _TOKEN.match(self.text, self.at)
        if token and token["number"]:
            self.at = token.end()
            return value_of(token["number"])
        if token and token["name"]:
            self.at = token.end()
            return self.call(token["name"])
        raise TclError(f'syntax error in expression "{self.text}"')

    def call(self, name: str) -> Value:
        if self.peek() != "(":
            if name in {"true", "false"}:
                return int(name == "true")
            raise TclError(f'invalid bareword "{name}" in expression "{self.text}"')
        self.take("(")
        values = [self.ternary()]
        while self.peek() == ",":
            self.take(",")
            values.append(self.ternary())
        self.take(")")
        return _FUNCTIONS[name](*values) if self.live else 0  # type: ignore[return-value]


def evaluate(interpreter: Tcl, text: str) -> str:
    """The value of an expression. Raises TclError."""
    parser = _Parser(interpreter, text)
    value = parser.ternary()
    if parser.text[parser.at :].strip():
        raise TclError(f'syntax error in expression "{text}"')
    return str(value)


def is_true(interpreter: Tcl, text: str) -> bool:
    """Does a condition hold?"""
    value = value_of(evaluate(interpreter, text))
    if isinstance(value, str):
        raise TclError(f'expected boolean value but got "{value}"')
    return bool(value)
