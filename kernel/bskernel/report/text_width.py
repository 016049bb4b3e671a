"""How many cells of a terminal a text takes. Pure."""

from __future__ import annotations

import unicodedata


def cells(text: str) -> int:
    """The cells of a text without control characters: wide characters take two, marks on others none."""
    if text.isascii():
        return len(text)
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def padded(text: str, width: int) -> str:
    """The text with spaces up to so many cells."""
    return text + " " * (width - cells(text))


def cut(text: str, width: int) -> str:
    """The text, or as much of its begin as fits, with three dots."""
    if cells(text) <= width:
        return text
    if width <= 3:
        return "." * max(0, width)
    kept, used = [], 0
    for character in text:
        used += _cells(character)
        if used > width - 3:
            break
        kept.append(character)
    return f"{''.join(kept)}..."
