"""A comparison as text for a terminal, as Markdown for a comment on a change, and as JSON."""

from __future__ import annotations

import msgspec
from bskernel_protocol import pretty_json

from bskernel.report.diff_tables import Table, tables_of
from bskernel.report.markdown import code_span, folded
from bskernel.report.markdown import table as markdown_table
from bskernel.report.terminal import aligned
from bskernel.result.comparison import Comparison

# A CI job finds its own comment by this, to replace it.
MARKER = "<!-- bskernel diff -->"
MANY = 12  # a comment folds tables with more rows than this, unless they are numbers


def _heads(comparison: Comparison) -> list[tuple[str, str, str, str]]:
    return [
        ("A", comparison.base.label, comparison.base.name, comparison.base.status),
        ("B", comparison.new.label, comparison.new.name, comparison.new.status),
    ]


def as_text(comparison: Comparison) -> str:
    """All differences, and all metrics."""
    lines = aligned([(f"{side} ({what})", name, status, label) for (side, label, name, status), what in
                     zip(_heads(comparison), ("base", "new"), strict=True)])  # fmt: skip
    lines += _altered(comparison)
    for table in tables_of(comparison):
        lines.append(table.title)
        rows = (*table.rows, *table.quiet)
        if rows:
            used = [at for at in range(len(table.columns)) if any(row[at] for row in rows)]
            cells = [[_line(row[at]) for at in used] for row in (table.columns, *rows)]
            lines += [f"    {line}" for line in aligned(cells)]
    return "\n".join(lines) + "\n"


def _altered(comparison: Comparison) -> list[str]:
    sides = (("A", comparison.base), ("B", comparison.new))
    return [f"warning: {side} changed since its build: {line}" for side, build in sides for line in build.altered]


def _line(text: str) -> str:
    return " ".join(text.split())


def _grid(table: Table, rows: tuple[tuple[str, ...], ...]) -> list[str]:
    used = [at for at, _ in enumerate(table.columns) if any(row[at] for row in rows)]
    numbers = {at for at in used if table.columns[at] in table.numbers}
    cells = [[row[at] if at in numbers else code_span(row[at]) for at in used] for row in rows]
    right = [place for place, at in enumerate(used) if at in numbers]
    return markdown_table([[table.columns[at] for at in used], *cells], numbers=right)


def as_markdown(comparison: Comparison) -> str:
    """The gates first, then the differences; unchanged metrics are folded."""
    verdict = "a gate failed" if comparison.failed else "no difference" if comparison.same else "differences"
    lines = [MARKER, f"### bskernel diff: {verdict}", ""]
    lines += [
        f"- {side}: {code_span(label)}, {code_span(name)}, {status}"
        for side, label, name, status in _heads(comparison)
    ]
    lines += [f"- {code_span(line)}" for line in _altered(comparison)]
    tables = tables_of(comparison)
    first = [tables[-1]] if comparison.gates else []
    for table in [*first, *tables[: len(tables) - len(first)]]:
        lines += ["", f"**{table.title}**"]
        if len(table.rows) > MANY and not table.numbers:
            lines += folded(f"{len(table.rows)} rows", _grid(table, table.rows))
        elif table.rows:
            lines += ["", *_grid(table, table.rows)]
        if table.quiet:
            lines += folded(f"{len(table.quiet)} unchanged", _grid(table, table.quiet))
    return "\n".join(lines) + "\n"


def as_json(comparison: Comparison) -> str:
    """The whole comparison, with `same` and `failed`."""
    data = msgspec.to_builtins(comparison)
    return pretty_json({**data, "same": comparison.same, "failed": comparison.failed})
