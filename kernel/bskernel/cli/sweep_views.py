"""What `bskernel plan` prints of a sweep."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from bskernel.config.assignments import ConfigText
    from bskernel.flow.selection import RangeRequest
    from bskernel.sweeps.execution.preparation import PreparedSweep
    from bskernel.sweeps.execution.preview import PreviewedNode
    from bskernel.workspace.workspace import Workspace

_SHOWN = 20  # points in a table for people


def show_sweep(
    workspace: Workspace,
    text: ConfigText,
    range_request: RangeRequest,
    note: Callable[[str], None],
    *,
    as_json: bool,
    graph: str | None,
) -> str:
    """The points and the distinct steps of a sweep: as text, as JSON, or the steps alone as a graph."""
    from bskernel_protocol import pretty_json

    from bskernel.cli.plan_views import draw_graph
    from bskernel.sweeps.execution.preparation import PreparedSweep
    from bskernel.sweeps.execution.preview import as_data, drawn, preview_sweep

    sweep = PreparedSweep(workspace, text, range_request)
    with workspace.open_store(sweep.loaded, note, read_only=True) as opened:
        foreseen = preview_sweep(sweep.plan, opened.store)
    workspace.files.save()
    if graph is not None:
        return draw_graph(drawn(foreseen), graph)
    return pretty_json(as_data(sweep.plan, foreseen)) if as_json else _describe(sweep, foreseen)


def _describe(sweep: PreparedSweep, foreseen: tuple[PreviewedNode, ...]) -> str:
    from bskernel.sweeps.analysis.table import counted, settings_text

    points = sweep.plan.points
    lines = [f"sweep {sweep.loaded.name}: {counted(len(points))}"]
    search = sweep.section.search
    if search is not None:
        lines.append(f"  and {search.trials} trials that the search chooses while it runs: they are not planned yet")
    backends = Counter(backend.lines[0] for point in points if (backend := sweep.backend_of(point)) is not None)
    lines += [f"{line} ({number} points)" for line, number in backends.items()]
    lines += [f"  {point.name}  {settings_text(point.settings)}" for point in points[:_SHOWN]]
    if len(points) > _SHOWN:
        lines.append(f"  and {len(points) - _SHOWN} more (--json lists all)")
    total, cached = sum(len(point.nodes) for point in points), sum(item.cached for item in foreseen)
    if not points:
        return "\n".join(lines) + "\n"
    lines.append(f"steps in all points: {total}; distinct: {len(foreseen)}, of which {cached} are cached")
    return "\n".join([*lines, *_by_name(foreseen)]) + "\n"


def _by_name(foreseen: tuple[PreviewedNode, ...]) -> list[str]:
    points: Counter[str] = Counter()
    cached: Counter[str] = Counter()
    for item in foreseen:
        points[item.node.step.name] += item.points
        cached[item.node.step.name] += item.cached
    distinct = Counter(item.node.step.name for item in foreseen)
    rows = [("step", "points", "distinct", "cached")]
    rows += [(name, str(number), str(distinct[name]), str(cached[name])) for name, number in points.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  " + "  ".join([row[0].ljust(widths[0]), *(cell.rjust(widths[at + 1]) for at, cell in enumerate(row[1:]))])
        for row in rows
    ]
