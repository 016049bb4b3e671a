"""The plan of a build as text, JSON or a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bskernel.commands.preview import PlannedStep
    from bskernel.core.step import Step
    from bskernel.flow.selection import Range
    from bskernel.plan.backend_choice import Choice

GRAPHS = ("text", "mermaid", "svg")


def describe_plan(
    planned: Sequence[PlannedStep],
    selected: Range,
    backend: Choice | None = None,
    warnings: Sequence[str] = (),
    folders: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """The steps as lines; above them the backend, warnings, and the part of the flow if only a part was selected.

    `folders` are those of executors' recipes, by NAME@VERSION: each is shown with the executor's first step.
    """
    folders = dict(folders)
    lines = list(backend.lines) if backend is not None else []
    lines += [f"warning: {text}" for text in warnings]
    for bound, word in ((selected.first, "from"), (selected.last, "to")):
        if not bound.origin.startswith("the flow's "):
            lines.append(f"{word} {bound.step}, by {bound.origin}")
    for item in planned:
        step = item.step
        lines.append(f"{step.index:3} {step.name}  {step.executor} [{step.executor.digest[:12]}]")
        if folder := folders.pop(str(step.executor), ""):
            lines.append(f"      recipe {folder}")
        lines += [f"      needs {tool.tool}: {tool.label}, {tool.root}" for tool in step.executor.tools]
        lines.append(f"      {'cached' if item.cached else 'runs: ' + '; '.join(item.reasons)}")
    return "\n".join(lines) + "\n"


def plan_json(
    planned: Sequence[PlannedStep], selected: Range, backend: Choice | None = None, warnings: Sequence[str] = ()
) -> str:
    """The backend, the range of the flow with the origin of its bounds, warnings, and the steps."""
    from bskernel_protocol import pretty_json

    data = {"backend": backend, "range": selected, "warnings": tuple(warnings), "steps": tuple(planned)}
    return pretty_json(data)


def draw_plan(planned: Sequence[PlannedStep], style: str) -> str:
    """A graph of the steps and the artifacts between them, in one of the formats GRAPHS."""
    return draw_graph([(item.step, item.cached) for item in planned], style)


def draw_graph(steps: Sequence[tuple[Step, bool]], style: str) -> str:
    """The same for steps that are given with whether each is cached."""
    from bskernel.report.graph import as_mermaid, as_text, graph_of

    graph = graph_of(steps)
    if style == "svg":
        from bskernel.report.graph_svg import as_svg

        return as_svg(graph)
    return as_mermaid(graph) if style == "mermaid" else as_text(graph)
