"""A plan's graph as SVG: one column of steps, given files to the left, what skips steps in lanes to the right."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from bskernel.report.graph import Box, Edge, Graph

_CHARACTER = 7.3  # widest usual advance of the 12 px font, in px
_GAP = 40  # between boxes, for the arrow and its label
_PORT = 18  # between lines that end at one box
_LANE = 14
_MARGIN = 20
_LINES = ("#3b6ea5", "#8a4f9e", "#2e8b57", "#b5542c", "#00798c", "#7a6a00")
_STYLE = """
  text { font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #1c2430; }
  .small { font-size: 11px; fill: #4a5563; }
  .name { font-weight: bold; }
  .cached { fill: #e3f4e3; stroke: #3c7d3c; }
  .runs { fill: #fff3d6; stroke: #a87500; }
  .file { fill: #eef1f5; stroke: #6b7785; stroke-dasharray: 4 2; }
  .line { fill: none; stroke: #4a5563; stroke-width: 1.3; }
"""


def _width(texts: Sequence[str]) -> float:
    return max((len(text) for text in texts), default=0) * _CHARACTER


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(points: Sequence[tuple[float, float]], colour: str = "#4a5563") -> str:
    path = " L".join(f"{x:.0f} {y:.0f}" for x, y in points)
    return f'<path class="line" style="stroke: {colour}" d="M{path}" marker-end="url(#arrow)"/>'


class _Drawing:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.files = [edge for edge in graph.edges if edge.source is None]
        self.straight = [edge for edge in graph.edges if edge.source is not None and edge.source == edge.target - 1]
        self.skipping = [edge for edge in graph.edges if edge.source is not None and edge.source < edge.target - 1]
        self.lanes = self._lanes()
        file_width = _width([edge.file or "" for edge in self.files]) + 16
        self.file_width = file_width if self.files else 0
        self.file_gap = _width([edge.label for edge in self.files]) + 28 if self.files else 0
        self.left = _MARGIN + self.file_width + self.file_gap
        self.box_width = _width([text for box in graph.boxes for text in self._texts(box)]) + 24
        self.right = self.left + self.box_width
        self.label_width = _width([self._skip_label(edge) for edge in self.skipping]) + 18 if self.skipping else 0
        tops, y = [], float(_MARGIN)
        for box in graph.boxes:
            tops.append(y)
            y += self._height(box) + _GAP
        self.tops = tops
        self.width = self.right + self.label_width + _LANE * (max(self.lanes.values(), default=-1) + 1) + _MARGIN
        self.height = y - _GAP + _MARGIN

    def _lanes(self) -> dict[int, int]:
        """A lane for each step whose artifacts skip others, the nearer the shorter it is."""
        spans: dict[int, int] = {}
        for edge in self.skipping:
            source = edge.source or 0
            spans[source] = max(spans.get(source, 0), edge.target)
        lanes: dict[int, int] = {}
        for source in sorted(spans, key=lambda at: (spans[at] - at, at)):
            taken = {lane for other, lane in lanes.items() if other <= spans[source] and source <= spans[other]}
            lanes[source] = next(lane for lane in range(len(spans)) if lane not in taken)
        return lanes

    def _texts(self, box: Box) -> tuple[str, str]:
        return f"{box.number} {box.name}", f"{box.executor}, {box.state}"

    def _skip_label(self, edge: Edge) -> str:
        return f"{edge.label} of {self.graph.boxes[edge.source or 0].name}"

    def _height(self, box: Box) -> float:
        right = [edge for edge in self.skipping if edge.target == box.number]
        left = [edge for edge in self.files if edge.target == box.number]
        return max(46, _PORT * (max(len(right) + (box.number in self.lanes), len(left)) + 1))

    def _box(self, box: Box) -> list[str]:
        y = self.tops[box.number]
        name, below = self._texts(box)
        size = f'width="{self.box_width:.0f}" height="{self._height(box):.0f}"'
        return [
            f'<rect class="{box.state}" x="{self.left:.0f}" y="{y:.0f}" {size} rx="5"/>',
            _text(self.left + 12, y + 19, name, "name"),
            _text(self.left + 12, y + 36, below, "small"),
        ]

    def _down(self, edge: Edge) -> list[str]:
        x = self.left + self.box_width / 2
        y = self.tops[edge.target]
        above = self.graph.boxes[edge.target - 1]
        return [
            _line([(x, self.tops[above.number] + self._height(above)), (x, y)]),
            _text(x + 10, y - _GAP / 2 + 4, edge.label, "small"),
        ]

    def _given(self, edge: Edge, port: int) -> list[str]:
        y = self.tops[edge.target] + _PORT * (port + 1)
        end = _MARGIN + self.file_width
        return [
            f'<rect class="file" x="{_MARGIN}" y="{y - 8:.0f}" width="{self.file_width:.0f}" height="16"/>',
            _text(_MARGIN + 8, y + 4, edge.file or "", "small"),
            _line([(end, y), (self.left, y)]),
            _text((end + self.left) / 2 - 4, y - 4, edge.label, "small", "middle"),
        ]

    def _skip(self, edge: Edge, port: int) -> list[str]:
        source = edge.source or 0
        lane = self.lanes[source]
        x = self.right + self.label_width + _LANE * lane
        y = self.tops[edge.target] + _PORT * (port + 1)
        begin = self.tops[source] + self._height(self.graph.boxes[source]) - 8
        colour = _LINES[lane % len(_LINES)]
        return [
            _line([(self.right, begin), (x, begin), (x, y), (self.right, y)], colour),
            _text(self.right + 12, y - 4, self._skip_label(edge), "small"),
        ]

    def draw(self) -> str:
        parts: list[str] = []
        for edge in self.straight:
            parts += self._down(edge)
        for box in self.graph.boxes:
            parts += self._box(box)
            into = (edge for edge in self.files if edge.target == box.number)
            parts += [part for port, edge in enumerate(into) for part in self._given(edge, port)]
            skips = (edge for edge in self.skipping if edge.target == box.number)
            parts += [part for port, edge in enumerate(skips) for part in self._skip(edge, port)]
        body = "\n".join(parts)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width:.0f}" height="{self.height:.0f}" '
            f'viewBox="0 0 {self.width:.0f} {self.height:.0f}">\n<style>{_STYLE}</style>\n'
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#4a5563"/></marker></defs>\n'
            f'<rect width="100%" height="100%" fill="#ffffff"/>\n{body}\n</svg>\n'
        )


def as_svg(graph: Graph) -> str:
    """An SVG picture that needs nothing beside it."""
    return _Drawing(graph).draw()
