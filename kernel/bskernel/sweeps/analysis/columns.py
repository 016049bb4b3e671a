"""A sweep's table as typed columns, for CSV and Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from bskernel.sweeps.analysis.metric import latest
from bskernel.sweeps.analysis.table import SweepTable

Kind: TypeAlias = Literal["text", "integer", "number", "truth"]
SETTING = "set:"  # prefix of settings; no quantity has it


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column with one value per point; None means missing."""

    name: str
    kind: Kind
    values: tuple[Any, ...]


def columns_of(table: SweepTable) -> tuple[Column, ...]:
    """name, status, reason; `set:KEY` for every key; every quantity; then Q:unit, Q:stage, Q:source of each.

    Quantities are taken at each point's latest stage, in the order of their names. A key whose values are of several
    types, or lists or tables, is text: JSON.
    """
    rows = table.rows
    columns = [
        Column(name="name", kind="text", values=tuple(row.name for row in rows)),
        Column(name="status", kind="text", values=tuple(row.status for row in rows)),
        Column(name="reason", kind="text", values=tuple(row.reason for row in rows)),
    ]
    columns += [_setting(key, [row.settings.get(key) for row in rows]) for key in table.keys]
    newest = [latest(row) for row in rows]
    beside = []
    for name in sorted({name for found in newest for name in found}):
        items = [found.get(name) for found in newest]
        numbers = tuple(None if item is None else float(item.value) for item in items)
        columns.append(Column(name=name, kind="number", values=numbers))
        for what in ("unit", "stage", "source"):
            texts = tuple(None if item is None else getattr(item, what) for item in items)
            beside.append(Column(name=f"{name}:{what}", kind="text", values=texts))
    return (*columns, *beside)


def _setting(key: str, values: Sequence[Any]) -> Column:
    types = {type(value) for value in values if value is not None}
    kind: Kind = "text"
    if types == {bool}:
        kind = "truth"
    elif types == {int} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        kind = "integer"
    elif types and types <= {int, float} and all(_is_exact(value) for value in values):
        kind = "number"
        values = [None if value is None else float(value) for value in values]
    elif types != {str}:
        values = [None if value is None else msgspec.json.encode(value).decode() for value in values]
    return Column(name=f"{SETTING}{key}", kind=kind, values=tuple(values))


def _is_exact(value: object) -> bool:
    return not isinstance(value, int) or abs(value) <= 2**53


def as_csv(table: SweepTable) -> str:
    """The table as CSV with a header. Missing values are empty cells, booleans are `true` and `false`."""
    columns = columns_of(table)
    lines: list[Sequence[str]] = [[column.name for column in columns]]
    lines += zip(*([_cell(value) for value in column.values] for column in columns), strict=True)
    return "".join(f"{','.join(map(_quoted, line))}\n" for line in lines)


def _quoted(cell: str) -> str:
    # Python's csv does not quote a lone carriage return when lines end in a line feed.
    return '"' + cell.replace('"', '""') + '"' if any(sign in cell for sign in ',"\r\n') else cell


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
