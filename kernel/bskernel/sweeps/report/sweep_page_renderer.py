"""A sweep's page as HTML that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bskernel.report.page.figures import number, unit_text, with_unit
from bskernel.report.page_template import render_template, safe
from bskernel.result.quantities import FoundQuantity
from bskernel.sweeps.analysis.analysis_types import Objective
from bskernel.sweeps.analysis.metric import shown
from bskernel.sweeps.analysis.table import is_number
from bskernel.sweeps.page.front import Front, Mark
from bskernel.sweeps.page.sweep_page import LEFT_OUT, PointRow, SweepPage, title_of
from bskernel.sweeps.plots.plot_data import DOMINATED, PARETO, RECOMMENDED
from bskernel.sweeps.results.sweep_file import SWEEP

_FILES = Path(__file__).with_name("page_files")
_CLASSES = {DOMINATED: "dominated", PARETO: "pareto", RECOMMENDED: "recommended"}
_RANKS = {RECOMMENDED: 0, PARETO: 1, DOMINATED: 2, "": 3, LEFT_OUT: 4}
_NAMED = 5  # points in the label of a mark
_SECTIONS = (
    ("recommended", "Recommended"),
    ("front", "Pareto front"),
    ("parallel", "Settings and objectives"),
    ("points", "Points"),
    ("best", "Best of each objective"),
    ("left-out", "Left out"),
)


def render_sweep_page(page: SweepPage) -> str:
    """The page as HTML. Raises EnvironmentLacking without jinja2."""
    outcome, table = page.outcome, page.table
    links = page.record.links
    values = {
        "page": page,
        "outcome": outcome,
        "links": links,
        "unwritten": sum(row.directory is not None and row.name not in links for row in table.rows),
        "warnings": (*outcome.warnings, *(f"changed since the sweep: {line}" for line in page.record.altered)),
        "meta": _meta(page),
        "parts": [part for part in _SECTIONS if _has_section(page, part[0])],
        "titles": [title_of(one.metric.name, "") for one in outcome.objectives],
        "numbers": {row.name: at for at, row in enumerate(table.rows)},
        "differing": {key for key in table.keys if len({str(row.settings.get(key)) for row in table.rows}) > 1},
        "numeric": {key for key in table.keys if all(is_number(row.settings.get(key)) for row in table.rows)},
        "reasons": {at: group.reason for group in page.left_out for at in group.points},
        "classes": _CLASSES,
        "ranks": _RANKS,
        "ordered": _ordered(page),
        "example": _example(page),
        "describe": lambda mark, front: _describe(page, mark, front),
        "quantity": lambda objective: title_of(objective.metric.name, objective.metric.unit),
        "path": _path,
        "cell": _cell,
        "figure": _figure,
        "at": lambda place: f"{100 * place:.2f}%",
        "change": _change,
        "unit_text": unit_text,
    }
    return render_template(
        _FILES / "sweep.html.j2",
        values,
        document=SWEEP,
        digest=page.record.sweep_sha256,
        style=(_FILES / "sweep.css").read_text(encoding="utf-8"),
        script=(_FILES / "sweep.js").read_text(encoding="utf-8"),
    )


def _has_section(page: SweepPage, name: str) -> bool:
    present: Mapping[str, object] = {
        "recommended": page.recommended,
        "front": page.fronts,
        "parallel": page.axes,
        "best": page.outcome.best,
        "left-out": page.left_out,
    }
    return bool(present.get(name, True))


def _meta(page: SweepPage) -> list[tuple[str, str]]:
    goals, counts = page.record.results.goals, page.record.counts
    found = [
        ("maximize", ", ".join(goals.maximize)),
        ("minimize", ", ".join(goals.minimize)),
        ("require", ", ".join(goals.require)),
    ]
    if counts is not None:
        found += [
            ("steps", f"{counts.steps:,}, {counts.shared:,} of them shared" if counts.steps else ""),
            ("ran", f"{counts.ran:,} steps, {counts.recalled:,} recalled"),
        ]
    if page.record.seconds is not None:
        found.append(("took", f"{number(page.record.seconds)} s"))
    return [(name, text) for name, text in found if text]


def _ordered(page: SweepPage) -> list[PointRow]:
    """The rows as the table shows them: the recommended point, the Pareto set by its first objective, the rest."""
    first = next(iter(page.outcome.objectives), None)

    def rank(one: PointRow) -> tuple[int, float, int]:
        found = one.numbers[0] if first is not None and one.kind == PARETO else None
        return (
            _RANKS[one.kind],
            first.cost(found.value) if first is not None and found is not None else 0.0,
            one.number,
        )

    return sorted(page.rows, key=rank)


def _example(page: SweepPage) -> str:
    """A condition that this table understands."""
    if not page.outcome.objectives or not page.outcome.points:
        return "status=ok"
    objective = page.outcome.objectives[0]
    values = sorted(point.values[0] for point in page.outcome.points)
    limit = float(f"{values[len(values) // 2]:.2g}")
    relation = ">" if objective.sense == "maximize" else "<"
    return f"{title_of(objective.metric.name, '')}{relation}{limit:{'.0f' if abs(limit) >= 1 else 'g'}}"


def _figure(value: float, unit: str) -> str:
    return with_unit(value, unit) if unit == "fraction" else f"{shown(value)} {unit_text(unit)}".strip()


def _with_title(objective: Objective, value: float) -> str:
    return f"{title_of(objective.metric.name, '')} {_figure(value, objective.metric.unit)}"


def _describe(page: SweepPage, mark: Mark, front: Front) -> str:
    """What a mark is, for those who do not see it."""
    scored = {point.name: point.values for point in page.outcome.points}
    names = [page.table.rows[at].name for at in mark.points]
    values = scored[names[0]]
    objectives = page.outcome.objectives
    numbers = ", ".join(_with_title(one, values[objectives.index(one)]) for one in (front.upwards, front.across))
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    many = f"{len(names)} points: " if len(names) > 1 else ""
    return f"{mark.kind}: {numbers}; {many}{', '.join(names[:_NAMED])}{more}"


def _path(places: tuple[float | None, ...]) -> str:
    """The path of a line across the axes, broken where a number is missing."""
    last, words, gap = max(len(places) - 1, 1), [], True
    for at, place in enumerate(places):
        if place is not None:
            words.append(f"{'M' if gap else 'L'}{1000 * at / last:.1f},{1000 - 1000 * place:.1f}")
        gap = place is None
    return "".join(words)


def _cell(found: FoundQuantity | None, more: bool = False) -> Any:
    """A number in the table; `more` are those that are not printed."""
    from markupsafe import escape

    kind = "n more" if more else "n"
    if found is None:
        return safe(f'<td class="{kind}"></td>')
    title = escape(f"{found.stage}, {found.source}")
    text = escape(with_unit(found.value, "fraction") if found.unit == "fraction" else shown(found.value))
    return safe(f'<td class="{kind}" data-value="{found.value!r}" title="{title}">{text}</td>')


def _change(fraction: float) -> str:
    return f"{abs(fraction) * 100:.3g} % {'higher' if fraction > 0 else 'lower'}"
