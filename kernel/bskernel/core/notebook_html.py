"""Results as Jupyter and its like show them: small HTML without style sheets, scripts or colours of its own. Pure."""

from __future__ import annotations

import html
from collections.abc import Sequence

from bskernel.core.visible_text import visible

MOST_ROWS = 20  # of a table; more are counted
_NUMBER = "text-align: right; font-variant-numeric: tabular-nums"


def heading(name: str, verdict: str, rest: str = "") -> str:
    """The first line: what it is, how it ended, and what belongs to that."""
    return f"<p><b>{_text(name)}</b>: <b>{_text(verdict)}</b>{_text(f', {rest}' if rest else '')}</p>"


def paragraph(text: str) -> str:
    """A line of text."""
    return f"<p>{_text(text)}</p>"


def lines(title: str, texts: Sequence[str]) -> str:
    """Texts one below the other; nothing without any."""
    if not texts:
        return ""
    items = "".join(f"<li>{_text(text)}</li>" for text in texts[:MOST_ROWS])
    more = f"<li>and {len(texts) - MOST_ROWS} more</li>" if len(texts) > MOST_ROWS else ""
    return f"<p>{_text(title)}</p><ul>{items}{more}</ul>"


def html_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; nothing without rows. Numbers are on the right; None is an empty cell."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{_text(column)}</th>' for column in columns)
    body = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in rows[:MOST_ROWS])
    more = f"<p>and {len(rows) - MOST_ROWS} more</p>" if len(rows) > MOST_ROWS else ""
    caption = f'<caption style="text-align: left">{_text(title)}</caption>' if title else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def number_text(value: float) -> str:
    """At most four significant digits; whole parts are never cut: 586,524, 12.16, 0.0007."""
    return f"{value:,.0f}" if abs(value) >= 1e4 or float(value).is_integer() else f"{value:,.4g}"


def _cell(value: object) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f'<td style="{_NUMBER}">{_text(number_text(value))}</td>'
    return f'<td style="text-align: left">{_text("" if value is None else str(value))}</td>'


def _text(text: str) -> str:
    return html.escape(visible(text))
