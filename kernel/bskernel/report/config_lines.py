"""Which line of a TOML file a message speaks of."""

from __future__ import annotations

import re

_PART = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"^\s*(\[\[?)\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(rf"^\s*({_DOTTED})\s*=")
_NUMBERED = re.compile(r"\(at line (\d+),|^line (\d+) ")  # as tomllib and the reader write it
_UNKNOWN = re.compile(r"unknown key '([^']*)' at (?:\[([^\]]+)\]|the top level)")
_WORD = re.compile(r"[\w-]+(?:\[\d+\])?(?:\.[\w-]+(?:\[\d+\])?)*")
_QUOTED = re.compile(r"'([^']*)'")


def key_lines(text: str) -> dict[str, int]:
    """Dotted key -> its line, from 1; `step[0].entry` is a key of the first [[step]]. Long strings hold no keys."""
    found: dict[str, int] = {}
    table, counts = "", dict[str, int]()
    inside = ""  # the quotes of the string that began on an earlier line
    for number, line in enumerate(text.splitlines(), 1):
        if inside:
            inside = "" if line.count(inside) % 2 else inside
            continue
        if header := _HEADER.match(line):
            table = _plain(header[2])
            if header[1] == "[[":
                found.setdefault(table, number)
                counts[table] = counts.get(table, -1) + 1
                table = f"{table}[{counts[table]}]"
            found.setdefault(table, number)
        elif key := _KEY.match(line):
            parts = _plain(f"{table}.{key[1]}" if table else key[1]).split(".")
            for end in range(1, len(parts) + 1):
                found.setdefault(".".join(parts[:end]), number)
        inside = next((quotes for quotes in ('"""', "'''") if line.count(quotes) % 2), "")
    return found


def _plain(dotted: str) -> str:
    return ".".join(part.strip().strip("\"'") for part in dotted.split("."))


def find_line(text: str, message: str) -> int | None:
    """The line, from 1, of the key that an error in this file names, else of its table; None if it names none."""
    if numbered := _NUMBERED.search(message):
        return int(numbered[1] or numbered[2])
    lines = key_lines(text)
    if unknown := _UNKNOWN.search(message):
        return lines.get(f"{unknown[2]}.{unknown[1]}" if unknown[2] else unknown[1])
    for word in _WORD.findall(message):
        # A word without a dot is a word of the sentence, unless it stands in brackets.
        if "." in word or "[" in word or f"[{word}]" in message:
            parts = word.split(".")
            for end in range(len(parts), 0, -1):
                if (line := lines.get(".".join(parts[:end]))) is not None:
                    return line
    return next((line for name in _QUOTED.findall(message) if (line := find_value(text, name)) is not None), None)


def find_value(text: str, value: str) -> int | None:
    """The line, from 1, of the first key that is set to this text, alone or in a list."""
    quoted = re.compile(rf"""=.*(["']){re.escape(value)}\1""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if quoted.search(line)), None)


def find_step(text: str, step: str) -> int | None:
    """The line, from 1, where the file speaks of a step: [step.NAME], or its `name` in [[step]]; None if nowhere."""
    lines = key_lines(text)
    if (line := lines.get(f"step.{step}")) is not None:
        return line
    named = re.compile(rf"""^\s*name\s*=\s*(["']){re.escape(step)}\1""")
    return next((number for number, line in enumerate(text.splitlines(), 1) if named.match(line)), None)
