"""Text from outside made harmless for terminals and text files. Pure."""

from __future__ import annotations

import re

_NAMED = {"\r": "\\r", "\n": "\\n", "\t": "\\t"}


def visible(text: str) -> str:
    r"""The text with an escape such as \x1b for each character that a terminal may obey; line feeds and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    from bskernel_protocol.controls import CONTROLS  # with the protocol, which --help does without

    return CONTROLS.sub(_escaped, text)


def visible_line(text: str) -> str:
    r"""As `visible`, on one line: line feeds and tabs become \n and \t too."""
    text = visible(text)
    return text.replace("\n", "\\n").replace("\t", "\\t") if "\n" in text or "\t" in text else text


def visible_name(name: str) -> str:
    r"""A file's name for a message: on one line, and bytes that are no UTF-8 as \xff."""
    return visible_line(name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"))


def _escaped(match: re.Match[str]) -> str:
    character = match.group()
    code = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
