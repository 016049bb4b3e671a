"""The plan of a sweep as text, JSON or a graph."""

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

_SHOWN = 20  # points listed in the text


def show_sweep(
    workspace: Workspace,
    text: ConfigText,
    range_request: RangeRequest,
    note: Callable[[str], None],
    *,
    as_json: bool,
    graph: str | None,
) -> str:
    """The points and distinct steps of a sweep as text or JSON, or its steps as a graph."""
    from bskernel_protocol import pretty_json

    from bskernel.cli.plan_views import draw_graph
    from bskernel.sweeps.execution.preparation import PreparedSweep
    from bskernel.sweeps.execution.preview import as_data, drawn, preview_sweep

    sweep = PreparedSweep(workspace, text, range_request)
    with workspace.open_store(sweep.loaded, note, read_only=True) as opened:
        nodes = preview_sweep(sweep.plan, opened.store)
    workspace.files.save()
    if graph is not None:
        return draw_graph(drawn(nodes), graph)
    if as_json:
        return pretty_json(as_data(sweep.plan, nodes) | {"warnings": sweep.warnings(sweep.plan.points)})
    return _describe(sweep, nodes)


def _describe(sweep: PreparedSweep, nodes: tuple[PreviewedNode, ...]) -> str:
    from bskernel.sweeps.analysis.table import counted, settings_text

    points = sweep.plan.points
    lines = [f"sweep {sweep.loaded.name}: {counted(len(points))}"]
    search = sweep.section.search
    if search is not None:
        lines.append(f"  and {search.trials} trials that the search will choose while it runs")
    backends = Counter(backend.lines[0] for point in points if (backend := sweep.backend_of(point)) is not None)
    lines += [f"{line} ({number} points)" for line, number in backends.items()]
    lines += [f"warning: {text}" for text in sweep.warnings(points)]
    lines += [f"  {point.name}  {settings_text(point.settings)}" for point in points[:_SHOWN]]
    if len(points) > _SHOWN:
        lines.append(f"  and {len(points) - _SHOWN} more (--json lists all)")
    total, cached = sum(len(point.nodes) for point in points), sum(node.cached for node in nodes)
    if not points:
        return "\n".join(lines) + "\n"
    lines.append(f"steps in all points: {total}; distinct: {len(nodes)}, of which {cached} are cached")
    return "\n".join([*lines, *_by_name(nodes)]) + "\n"


def _by_name(nodes: tuple[PreviewedNode, ...]) -> list[str]:
    points: Counter[str] = Counter()
    cached: Counter[str] = Counter()
    for item in nodes:
        points[item.node.step.name] += item.points
        cached[item.node.step.name] += item.cached
    distinct = Counter(item.node.step.name for item in nodes)
    rows = [("step", "points", "distinct", "cached")]
    rows += [(name, str(number), str(distinct[name]), str(cached[name])) for name, number in points.items()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return [
        "  " + "  ".join([row[0].ljust(widths[0]), *(cell.rjust(widths[at + 1]) for at, cell in enumerate(row[1:]))])
        for row in rows
    ]
