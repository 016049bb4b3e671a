"""What `bskernel plan` prints: a list, JSON, or a graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bskernel.commands.preview import PlannedStep
    from bskernel.core.step import Step
    from bskernel.flow.selection import Range
    from bskernel.plan.backend_choice import Choice

GRAPHS = ("text", "mermaid", "svg")


def describe_plan(planned: Sequence[PlannedStep], chosen: Range, backend: Choice | None = None) -> str:
    """The steps as lines, and above them the backend and which part of the flow they are, if it was asked for."""
    lines = list(backend.lines) if backend is not None else []
    for bound, word in ((chosen.first, "from"), (chosen.last, "to")):
        if not bound.origin.startswith("the flow's "):
            lines.append(f"{word} {bound.step}, by {bound.origin}")
    for item in planned:
        step = item.step
        lines.append(f"{step.index:3} {step.name}  {step.executor} [{step.executor.digest[:12]}]")
        lines += [f"      needs {tool.tool}: {tool.label}, {tool.root}" for tool in step.executor.tools]
        lines.append(f"      {'cached' if item.cached else 'runs: ' + '; '.join(item.reasons)}")
    return "\n".join(lines) + "\n"


def plan_json(planned: Sequence[PlannedStep], chosen: Range, backend: Choice | None = None) -> str:
    """The backend, the range with what chose it, and the steps."""
    from bskernel_protocol import pretty_json

    return pretty_json({"backend": backend, "range": chosen, "steps": tuple(planned)})


def draw_plan(planned: Sequence[PlannedStep], form: str) -> str:
    """The steps and what goes between them, in one of the forms GRAPHS."""
    return draw_graph([(item.step, item.cached) for item in planned], form)


def draw_graph(steps: Sequence[tuple[Step, bool]], form: str) -> str:
    """Steps, each with whether it is cached, and what goes between them, in one of the forms GRAPHS."""
    from bskernel.report.graph import as_mermaid, as_text, graph_of

    graph = graph_of(steps)
    if form == "svg":
        from bskernel.report.graph_svg import as_svg

        return as_svg(graph)
    return as_mermaid(graph) if form == "mermaid" else as_text(graph)
