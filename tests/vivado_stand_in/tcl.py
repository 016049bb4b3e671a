"""A small Tcl: what scripts for Vivado use of it, and its own words for what is wrong. For the STAND-IN."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

_NAME = re.compile(r"\$(?:\{([^}]*)\}|((?:::)?\w+(?:::\w+)*)(?:\((\w+)\))?)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
Command = Callable[..., str]


class TclError(Exception):
    """An error of a script, as Tcl words it."""


class _Return(Exception):  # noqa: N818 - control flow
    pass


class _Break(Exception):  # noqa: N818 - control flow
    pass


class _Continue(Exception):  # noqa: N818 - control flow
    pass


def braced(text: str, at: int) -> int:
    """The index behind the brace that closes the one at `at`."""
    depth = 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == "{":
            depth += 1
        elif text[at] == "}":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    raise TclError("missing close-brace")


def bracketed(text: str, at: int) -> int:
    """The index behind the bracket that closes the one at `at`."""
    depth = 0
    while at < len(text):
        letter = text[at]
        if letter == "\\":
            at += 1
        elif letter == "{":
            at = braced(text, at)
            continue
        elif letter == '"':
            at += 1
            while at < len(text) and text[at] != '"':
                at = bracketed(text, at) if text[at] == "[" else at + 1 + (text[at] == "\\")
        elif letter == "[":
            depth += 1
        elif letter == "]":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    raise TclError("missing close-bracket")


def commands_of(script: str) -> Iterator[list[tuple[str, str]]]:
    """The commands of a script: words as (kind, text), kind one of { " and space."""
    text = re.sub(r"\\\n[ \t]*", " ", script)
    at = 0
    words: list[tuple[str, str]] = []
    while at < len(text):
        letter = text[at]
        if letter in " \t":
            at += 1
        elif letter in "\n;\r":
            at += 1
            if words:
                yield words
            words = []
        elif letter == "#" and not words:
            at = text.find("\n", at) if "\n" in text[at:] else len(text)
        elif letter == "{":
            end = braced(text, at)
            if end < len(text) and text[end] not in " \t\n;\r":
                raise TclError("extra characters after close-brace")
            words.append(("{", text[at + 1 : end - 1]))
            at = end
        else:
            kind, end = _word(text, at)
            words.append((kind, text[at + 1 : end - 1] if kind == '"' else text[at:end]))
            at = end
    if words:
        yield words


def _word(text: str, at: int) -> tuple[str, int]:
    kind = '"' if text[at] == '"' else " "
    at += kind == '"'
    while at < len(text):
        letter = text[at]
        if letter == "\\":
            at += 1
        elif letter == "[":
            at = bracketed(text, at)
            continue
        elif letter == "$" and text[at + 1 : at + 2] == "{":
            at = text.index("}", at)
        elif kind == '"' and letter == '"':
            return kind, at + 1
        elif kind == " " and letter in " \t\n;\r":
            return kind, at
        at += 1
    if kind == '"':
        raise TclError('missing "')
    return kind, at


def split(text: str) -> list[str]:
    """The elements of a list."""
    found, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif text[at] == "{":
            end = braced(text, at)
            found.append(text[at + 1 : end - 1])
            at = end
        elif text[at] == '"':
            end = text.index('"', at + 1)
            found.append(text[at + 1 : end])
            at = end + 1
        else:
            match = re.compile(r"(?:\\.|\S)+").match(text, at)
            assert match is not None
            found.append(re.sub(r"\\(.)", r"\1", match.group()))
            at = match.end()
    return found


def join(elements: list[str]) -> str:
    """A list of these elements."""
    return " ".join(
        "{" + item + "}" if not item or re.search(r'[\s{}"\[\]$;\\]', item) else item for item in elements
    )


@dataclass
class Tcl:
    """An interpreter: `commands` are called with their words, each a string, and give one."""

    commands: dict[str, Command] = field(default_factory=dict)
    globals: dict[str, str] = field(default_factory=dict)
    frames: list[dict[str, str]] = field(default_factory=list)
    shared: list[set[str]] = field(default_factory=list)

    def evaluate(self, script: str) -> str:
        """Run a script; what its last command gives. Raises TclError."""
        result = ""
        for words in commands_of(script):
            values: list[str] = []
            for kind, text in words:
                if kind == " " and text.startswith("{*}"):
                    values += split(self.substitute(text[3:]))
                else:
                    values.append(text if kind == "{" else self.substitute(text))
            name = values[0].removeprefix("::")
            if name not in self.commands:
                raise TclError(f'invalid command name "{name}"')
            result = self.commands[name](*values[1:])
        return result

    def substitute(self, text: str) -> str:
        """The text with variables, commands in brackets, and backslashes replaced."""
        parts, at = [], 0
        while at < len(text):
            letter = text[at]
            if letter == "\\" and at + 1 < len(text):
                parts.append(_ESCAPES.get(text[at + 1], text[at + 1]))
                at += 2
            elif letter == "[":
                end = bracketed(text, at)
                parts.append(self.evaluate(text[at + 1 : end - 1]))
                at = end
            elif letter == "$" and (match := _NAME.match(text, at)):
                parts.append(self.get(match[1] or (f"{match[2]}({match[3]})" if match[3] else match[2])))
                at = match.end()
            else:
                parts.append(letter)
                at += 1
        return "".join(parts)

    def scope(self, name: str) -> tuple[dict[str, str], str]:
        """Where a variable is kept, and under which name."""
        if name.startswith("::") or not self.frames or name in self.shared[-1]:
            return self.globals, name.removeprefix("::")
        return self.frames[-1], name

    def get(self, name: str) -> str:
        """A variable. Raises TclError."""
        scope, key = self.scope(name)
        if key not in scope:
            raise TclError(f'can\'t read "{name}": no such variable')
        return scope[key]

    def set(self, name: str, value: str) -> str:
        """Set a variable."""
        scope, key = self.scope(name)
        scope[key] = value
        return value

    def loop(self, body: str) -> bool:
        """Run a loop's body once; False when the loop is to end."""
        try:
            self.evaluate(body)
        except _Break:
            return False
        except _Continue:
            pass
        return True

    def define(self, name: str, parameters: str, body: str) -> str:
        """A procedure."""
        names = split(parameters)

        def call(*values: str) -> str:
            if len(values) != len(names):
                raise TclError(f'wrong # args: should be "{" ".join([name, *names])}"')
            self.frames.append(dict(zip(names, values, strict=True)))
            self.shared.append(set())
            try:
                return self.evaluate(body)
            except _Return as end:
                return str(end)
            finally:
                self.frames.pop()
                self.shared.pop()

        self.commands[name] = call
        return ""

    def leave(self, how: str, value: str = "") -> str:
        """Leave a procedure (`return`) or a loop (`break`, `continue`)."""
        raise {"return": _Return, "break": _Break, "continue": _Continue}[how](value)
