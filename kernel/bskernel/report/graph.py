"""A plan as a graph of steps and artifacts, as text and as a Mermaid flowchart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from bskernel.core.step import FromFile, FromFiles, FromStep, Source, Step


class Box(msgspec.Struct, frozen=True, kw_only=True):
    """A step in the graph."""

    number: int
    name: str
    executor: str
    cached: bool
    stage: str | None  # the model's stage after it

    @property
    def state(self) -> str:
        """`cached` or `runs`."""
        return "cached" if self.cached else "runs"


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """The artifacts that a step takes from one source: an earlier step, or a file or folder of the user."""

    source: int | None  # the step's number
    file: str | None
    target: int
    artifacts: tuple[str, ...]
    stage: str | None = None  # the model's stage, if a model is among them and its stage is known

    @property
    def label(self) -> str:
        """The artifacts' names, with the stage beside the model."""
        marked = [f"{name}: {self.stage}" if name == "model" and self.stage else name for name in self.artifacts]
        return ", ".join(marked)


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """Boxes in running order, edges in order of their targets."""

    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]

    def into(self, number: int) -> tuple[Edge, ...]:
        """The edges into one step."""
        return tuple(edge for edge in self.edges if edge.target == number)


def _path(source: FromFile | FromFiles) -> Path:
    return source.path if isinstance(source, FromFile) else source.folder / source.names[0]


def _name(source: FromFile | FromFiles) -> str:
    """The name of a file; of several the first, with the number of the others."""
    more = len(source.names) - 1 if isinstance(source, FromFiles) else 0
    return _path(source).name + (f" and {more} more" if more else "")


def graph_of(steps: Sequence[tuple[Step, bool]]) -> Graph:
    """The graph of planned steps; each says whether its result is cached."""
    boxes = tuple(
        Box(number=step.index, name=step.name, executor=str(step.executor), cached=cached, stage=step.stage_out)
        for step, cached in steps
    )
    numbers = {box.name: box.number for box in boxes}
    stages = {box.name: box.stage for box in boxes}
    edges = []
    for step, _ in steps:
        together: dict[str, list[tuple[str, Source]]] = {}
        for name, source in step.inputs.items():
            place = f"step {source.step}" if isinstance(source, FromStep) else f"file {_path(source)}"
            together.setdefault(place, []).append((name, source))
        for inputs in together.values():
            source = inputs[0][1]
            edges.append(
                Edge(
                    source=numbers[source.step] if isinstance(source, FromStep) else None,
                    file=None if isinstance(source, FromStep) else _name(source),
                    target=step.index,
                    artifacts=tuple(
                        name
                        if not isinstance(given, FromStep) or given.output == name
                        else f"{given.output} as {name}"
                        for name, given in inputs
                    ),
                    stage=stages[source.step] if isinstance(source, FromStep) else None,
                )
            )
    return Graph(boxes=boxes, edges=tuple(edges))


def as_text(graph: Graph) -> str:
    """The steps as a list, with the sources of their inputs and a line where the model's stage changes."""
    names = max((len(box.name) for box in graph.boxes), default=0)
    executors = max((len(box.executor) for box in graph.boxes), default=0)
    labels = max((len(", ".join(edge.artifacts)) for edge in graph.edges), default=0)
    lines = []
    stage: str | None = None
    for box in graph.boxes:
        lines.append(f"{box.number:3}  {box.name.ljust(names)}  {box.executor.ljust(executors)}  {box.state}")
        for edge in graph.into(box.number):
            source = edge.file if edge.source is None else f"{edge.source} {graph.boxes[edge.source].name}"
            lines.append(f"       {', '.join(edge.artifacts).ljust(labels)}  <- {source}")
        if box.stage is not None and box.stage != stage:
            lines.append(f"     == {box.stage} ==")
        stage = box.stage
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Text for a Mermaid string: characters special to Mermaid or HTML become numeric entities."""
    return re.sub(r"[^\w .:,@()+/-]", lambda match: f"#{ord(match[0])};", text)


def as_mermaid(graph: Graph) -> str:
    """A Mermaid flowchart."""
    lines = [
        "flowchart TD",
        "  classDef cached fill:#e3f4e3,stroke:#3c7d3c,color:#102010",
        "  classDef runs fill:#fff3d6,stroke:#a87500,color:#302000",
        "  classDef file fill:#eef1f5,stroke:#6b7785,color:#202830",
    ]
    files = list(dict.fromkeys(edge.file for edge in graph.edges if edge.file is not None))
    lines += [f'  file{number}[/"{_quoted(name)}"/]:::file' for number, name in enumerate(files)]
    for box in graph.boxes:
        text = "<br/>".join(_quoted(part) for part in (f"{box.number} {box.name}", box.executor, box.state))
        lines.append(f'  step{box.number}["{text}"]:::{box.state}')
    for edge in graph.edges:
        source = f"file{files.index(edge.file)}" if edge.file is not None else f"step{edge.source}"
        lines.append(f'  {source} -- "{_quoted(edge.label)}" --> step{edge.target}')
    return "\n".join(lines) + "\n"
