"""Read the boxed tables of a text report. A line whose bars do not align with the head's is damaged, and no row."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import msgspec

_RULE = re.compile(r"\+(-+\+)+")


class ReportRow(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a table: stripped cells by column. `depth` is the first cell's indentation / 2 spaces."""

    cells: dict[str, str]
    depth: int = 0


class ReportTable(msgspec.Struct, frozen=True, kw_only=True):
    """A head and its rows. Tables without a head, which Vivado writes for summaries, have columns "0" and "1"."""

    columns: tuple[str, ...]
    rows: tuple[ReportRow, ...]


def _cells(line: str, bars: list[int]) -> list[str] | None:
    if len(line) != bars[-1] + 1 or any(line[bar] != "|" for bar in bars):
        return None
    return [line[left + 1 : right] for left, right in itertools.pairwise(bars)]


def _row(columns: tuple[str, ...], cells: list[str]) -> ReportRow:
    first = cells[0].removeprefix(" ")
    depth = (len(first) - len(first.lstrip(" "))) // 2
    return ReportRow(cells={name: cell.strip() for name, cell in zip(columns, cells, strict=True)}, depth=depth)


def read_tables(text: str) -> Iterator[ReportTable]:
    """Yield all boxed tables in order. Their form: rule, head, rule, rows, rule; or rule, rows, rule."""
    lines = [line.rstrip() for line in text.splitlines()]
    at = 0
    while at < len(lines):
        if not _RULE.fullmatch(lines[at]):
            at += 1
            continue
        rule = lines[at]
        bars = [place for place, letter in enumerate(rule) if letter == "+"]
        parts: list[list[list[str]]] = [[]]
        at += 1
        while at < len(lines) and (lines[at] == rule or lines[at].startswith("|")):
            if lines[at] == rule:
                parts.append([])
            elif (cells := _cells(lines[at], bars)) is not None:
                parts[-1].append(cells)
            at += 1
        filled = [part for part in parts if part]
        if len(filled) == 2 and len(filled[0]) == 1:
            columns = tuple(cell.strip() for cell in filled[0][0])
            if len(set(columns)) == len(columns):
                yield ReportTable(columns=columns, rows=tuple(_row(columns, cells) for cells in filled[1]))
        elif len(filled) == 1:
            columns = tuple(str(number) for number in range(len(bars) - 1))
            yield ReportTable(columns=columns, rows=tuple(_row(columns, cells) for cells in filled[0]))
