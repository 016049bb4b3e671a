"""A commented build.toml as a value, and its text. Pure."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import msgspec

from bskernel.config.toml_text import to_toml, to_toml_key

_WIDTH = 100


class TomlLine(msgspec.Struct, frozen=True, kw_only=True):
    """A key with its value, or a comment alone. One that is not `active` is written as a comment."""

    key: str = ""
    value: Any = None
    comment: str = ""
    active: bool = True

    def text(self) -> list[str]:
        """The lines: long comments stand above the key."""
        if not self.key:
            return [f"# {line}" for line in textwrap.wrap(self.comment, _WIDTH)]
        line = f"{'' if self.active else '# '}{to_toml_key(self.key)} = {to_toml(self.value)}"
        comment = " ".join(self.comment.split())
        if not comment:
            return [line]
        if len(line) + len(comment) + 4 <= _WIDTH:
            return [f"{line}  # {comment}"]
        return [*(f"# {part}" for part in textwrap.wrap(comment, _WIDTH)), line]


class TomlTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table: its header as TOML, with brackets, and its lines."""

    header: str
    lines: tuple[TomlLine, ...]

    def text(self) -> list[str]:
        """The lines. The header is a comment if nothing below it is active."""
        active = any(line.active and line.key for line in self.lines)
        return [
            "",
            self.header if active else f"# {self.header}",
            *(text for line in self.lines for text in line.text()),
        ]


def active_lines(values: dict[str, Any]) -> tuple[TomlLine, ...]:
    """A line for each key."""
    return tuple(TomlLine(key=key, value=value) for key, value in values.items())


def step_header(name: str, *below: str) -> str:
    """The header of a step's table."""
    return f"[{'.'.join(('step', to_toml_key(name), *below))}]"


def _wrap(comment: str) -> list[str]:
    """The lines of a comment; those after the first stand below its text, not below its bullet or label."""
    begin = re.match(r"- | *-> | *\S+ {2,}|", comment)
    return textwrap.wrap(comment, _WIDTH, subsequent_indent=" " * (len(begin[0]) if begin else 0))


class BuildFile(msgspec.Struct, frozen=True, kw_only=True):
    """A build.toml."""

    head: tuple[str, ...]  # comments
    tables: tuple[TomlTable, ...]

    def text(self) -> str:
        """The file."""
        head = [line for comment in self.head for line in (_wrap(comment) or [""])]
        body = [line for table in self.tables for line in table.text()]
        return "\n".join([*(f"# {line}".rstrip() for line in head), *body]) + "\n"
