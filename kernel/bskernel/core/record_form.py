"""The form of what a step says of itself: its record, and its failure. Pure.

An executor may be wrong, and what it says is remembered, shown and written as JSON. So it is checked first.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import msgspec
from bskernel_protocol import Failure

from bskernel.core.visible_text import visible_line

DEEPEST = 32  # dictionaries and lists inside one another
_MOST_LINES, _LONGEST_LINE = 100, 4096  # of a failure's cause; characters
_SCALARS = (str, int, float, bool)
_PLAIN = frozenset({str, int, bool, type(None)})
_Path: TypeAlias = "tuple[()] | tuple[_Path, str | int]"  # where what holds a value is, and where in it


def find_record_fault(record: dict[str, Any]) -> str | None:
    """What is wrong with a record, in words, with the place; None if nothing is.

    Values are JSON types, without NaN and infinities, at most 32 deep. `summary` holds rows {label, value, note},
    `tables` holds {title, columns, rows} with texts in them: a build's report shows both.
    """
    return find_value_fault(record, "record") or _summary_fault(record) or _tables_fault(record)


def find_value_fault(value: Any, name: str) -> str | None:
    """What keeps a value from being written as JSON, with the place in `name`; None if nothing does."""
    # A stack in place of recursion: nesting is one of the things that may be wrong.
    pending: list[tuple[_Path, Any, int]] = [((), value, 0)]
    while pending:
        path, item, depth = pending.pop()
        if type(item) in _PLAIN:
            continue
        if isinstance(item, float):
            if not math.isfinite(item):
                return f"{_place(name, path)} is {item}, which JSON has no number for"
        elif depth >= DEEPEST:
            return f"{_place(name, path)} nests more than {DEEPEST} deep"
        elif isinstance(item, dict):
            for key, inner in item.items():
                if not isinstance(key, str):
                    return f"{_place(name, path)} has the key {visible_line(repr(key))[:80]}, which is no text"
                if type(inner) not in _PLAIN:
                    pending.append(((path, key), inner, depth + 1))
        elif isinstance(item, list | tuple):
            pending += [((path, at), inner, depth + 1) for at, inner in enumerate(item) if type(inner) not in _PLAIN]
        else:
            return f"{_place(name, path)} is of the type {type(item).__name__}, which JSON does not have"
    return None


def _place(name: str, path: _Path) -> str:
    parts = []
    while path:
        path, part = path
        parts.append(f"[{part}]" if isinstance(part, int) else f".{visible_line(part)[:80]}")
    return name + "".join(reversed(parts))


def _summary_fault(record: dict[str, Any]) -> str | None:
    rows = record.get("summary", ())
    if not isinstance(rows, list | tuple):
        return "record.summary is not a list of rows"
    for at, row in enumerate(rows):
        sound = (
            isinstance(row, dict)
            and isinstance(row.get("label"), str)
            and isinstance(row.get("value"), _SCALARS)
            and isinstance(row.get("note"), (*_SCALARS, type(None)))
        )
        if not sound:
            return f"record.summary[{at}] is not a row {{label, value, note}} of texts and numbers"
    return None


def _tables_fault(record: dict[str, Any]) -> str | None:
    tables = record.get("tables", ())
    if not isinstance(tables, list | tuple):
        return "record.tables is not a list of tables"
    for at, table in enumerate(tables):
        sound = (
            isinstance(table, dict)
            and isinstance(table.get("title"), str)
            and _is_row(table.get("columns"))
            and isinstance(table.get("rows"), list | tuple)
            and all(_is_row(row) for row in table["rows"])
        )
        if not sound:
            return f"record.tables[{at}] is not a table {{title, columns, rows}} of texts"
    return None


def _is_row(row: Any) -> bool:
    return isinstance(row, list | tuple) and all(isinstance(cell, str) for cell in row)


def bounded_failure(failure: Failure) -> Failure:
    """The failure of a step, cut to what people read. Facts that cannot be written as JSON are left out by name."""
    fault = find_value_fault(failure.facts, "facts")
    cause = failure.cause if len(failure.cause) <= _MOST_LINES else failure.cause[: _MOST_LINES - 1]
    lines = [_cut(line) for line in cause]
    if len(cause) < len(failure.cause):
        lines.append(f"({len(failure.cause) - len(cause)} more lines, left out)")
    return msgspec.structs.replace(
        failure,
        message=_cut(failure.message),
        cause=tuple(lines),
        hint=_cut(failure.hint) if failure.hint is not None else None,
        log=None,
        facts=failure.facts if fault is None else {"left_out": fault},
    )


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}... (cut)"
