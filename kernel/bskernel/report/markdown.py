"""Markdown in which no text from outside becomes a mention, a link or markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence


def code_span(text: str) -> str:
    """A code span for a table cell; nothing for an empty text."""
    text = " ".join(text.split()).replace("|", "\\|")
    if not text:
        return ""
    fence, gap = "`" * (_longest(text) + 1), " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{fence}{gap}{text}{gap}{fence}"


def code_block(text: str) -> list[str]:
    """Lines of a fenced block."""
    fence = "`" * max(3, _longest(text) + 1)
    return [f"{fence}text", *text.splitlines(), fence]


def table(rows: Sequence[Sequence[str]], *, numbers: Iterable[int] = ()) -> list[str]:
    """Lines of a table whose first row is the header; columns of `numbers` are aligned to the right."""
    right = set(numbers)
    head, *body = rows
    lines = [head, ["---:" if at in right else "---" for at in range(len(head))], *body]
    return [f"| {' | '.join(line)} |" for line in lines]


def folded(summary: str, lines: Iterable[str]) -> list[str]:
    """Lines that a reader unfolds."""
    return ["", f"<details><summary>{summary}</summary>", "", *lines, "", "</details>"]


def _longest(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
