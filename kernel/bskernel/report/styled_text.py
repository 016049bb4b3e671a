"""Texts with a style, and how a terminal is told to show them. Pure."""

from __future__ import annotations

from typing import TypeAlias

Span: TypeAlias = tuple[str, str]  # a text, and a key of STYLES or ""
Line: TypeAlias = tuple[Span, ...]

STYLES = {
    "good": "\x1b[1;32m",
    "bad": "\x1b[1;31m",
    "ran": "\x1b[32m",
    "warning": "\x1b[33m",
    "strong": "\x1b[1m",
    "faint": "\x1b[2m",
}
_RESET = "\x1b[0m"


def render_line(line: Line, *, coloured: bool) -> str:
    """A line for a terminal; what comes in must hold no escape sequences."""
    return "".join(f"{STYLES[style]}{text}{_RESET}" if coloured and style else text for text, style in line)
