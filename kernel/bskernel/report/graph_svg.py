"""A column of boxes with arrows as SVG: of a plan, or of an accelerator's layers. Pure.

Given files stand to the left; what skips boxes runs in lanes to the right.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

import msgspec

from bskernel.report.graph import Edge, Graph

_CHARACTER = 7.3  # widest usual advance of the 12 px font, in px
_GAP = 40  # between boxes, for the arrow and its label
_PORT = 18  # between lines that end at one box
_LANE = 14
_MARGIN = 20
_ROW = 17  # between lines of text in a box
_METER = 8  # height of a box's meter
_TAG = 20  # height of a tag
_LINES = ("#3b6ea5", "#8a4f9e", "#2e8b57", "#b5542c", "#00798c", "#7a6a00")
_STYLE = """
  text { font: 12px ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; fill: #1c2430; }
  .small { font-size: 11px; fill: #4a5563; }
  .name { font-weight: bold; }
  .cached { fill: #e3f4e3; stroke: #3c7d3c; }
  .runs { fill: #fff3d6; stroke: #a87500; }
  .file { fill: #eef1f5; stroke: #6b7785; stroke-dasharray: 4 2; }
  .line { fill: none; stroke: #4a5563; stroke-width: 1.3; }
  .head { fill: #4a5563; }
"""
_STYLE += "".join(f"  .lane-{at} {{ stroke: {colour}; }}\n" for at, colour in enumerate(_LINES))


class Card(msgspec.Struct, frozen=True, kw_only=True):
    """A box: its lines of text, the first of which is its name."""

    lines: tuple[str, ...]
    kind: str  # class in the style sheet
    tag: str = ""  # a word in the upper right corner that makes it stand out
    meter: float | None = None  # 0 to 1: a bar along its lower edge
    link: str = ""  # where a click leads
    anchor: str = ""  # id, for links to the box; with a link only


class Arrow(msgspec.Struct, frozen=True, kw_only=True):
    """An arrow to a box, from an earlier one or from a file."""

    source: int | None
    target: int
    label: str
    file: str | None = None


def _width(texts: Sequence[str]) -> float:
    return max((len(text) for text in texts), default=0) * _CHARACTER


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" class="{kind}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(points: Sequence[tuple[float, float]], kind: int | None = None) -> str:
    path = " L".join(f"{x:.0f} {y:.0f}" for x, y in points)
    lane = "" if kind is None else f" lane-{kind}"
    return f'<path class="line{lane}" d="M{path}" marker-end="url(#arrow)"/>'


class _Drawing:
    def __init__(self, cards: Sequence[Card], arrows: Sequence[Arrow]) -> None:
        self.cards = cards
        self.files = [arrow for arrow in arrows if arrow.source is None]
        self.straight = [arrow for arrow in arrows if arrow.source is not None and arrow.source == arrow.target - 1]
        self.skipping = [arrow for arrow in arrows if arrow.source is not None and arrow.source < arrow.target - 1]
        self.lanes = self._lanes()
        file_width = _width([arrow.file or "" for arrow in self.files]) + 16
        self.file_width = file_width if self.files else 0
        self.file_gap = _width([arrow.label for arrow in self.files]) + 28 if self.files else 0
        self.left = _MARGIN + self.file_width + self.file_gap
        self.box_width = _width([text for card in cards for text in self._widest(card)]) + 24
        self.right = self.left + self.box_width
        self.label_width = _width([arrow.label for arrow in self.skipping]) + 18 if self.skipping else 0
        tops, y = [], float(_MARGIN)
        for number in range(len(cards)):
            tops.append(y)
            y += self._height(number) + _GAP
        self.tops = tops
        lanes = self.label_width + _LANE * (max(self.lanes.values(), default=-1) + 1)
        beside = self.left + self.box_width / 2 + 10 + _width([arrow.label for arrow in self.straight])
        self.width = max(self.right + lanes, beside) + _MARGIN
        self.height = y - _GAP + _MARGIN

    def _lanes(self) -> dict[int, int]:
        """A lane for each box whose arrows skip others, the nearer the shorter it is."""
        spans: dict[int, int] = {}
        for arrow in self.skipping:
            source = arrow.source or 0
            spans[source] = max(spans.get(source, 0), arrow.target)
        lanes: dict[int, int] = {}
        for source in sorted(spans, key=lambda at: (spans[at] - at, at)):
            taken = {lane for other, lane in lanes.items() if other <= spans[source] and source <= spans[other]}
            lanes[source] = next(lane for lane in range(len(spans)) if lane not in taken)
        return lanes

    def _widest(self, card: Card) -> tuple[str, ...]:
        first, *others = card.lines
        return (f"{first}{' ' * (len(card.tag) + 4) if card.tag else ''}", *others)

    def _height(self, number: int) -> float:
        card = self.cards[number]
        right = [arrow for arrow in self.skipping if arrow.target == number]
        left = [arrow for arrow in self.files if arrow.target == number]
        ports = _PORT * (max(len(right) + (number in self.lanes), len(left)) + 1)
        return max(12 + _ROW * len(card.lines) + (_METER if card.meter is not None else 0), ports)

    def _card(self, number: int) -> list[str]:
        card, y, height = self.cards[number], self.tops[number], self._height(number)
        name, *others = card.lines
        size = f'width="{self.box_width:.0f}" height="{height:.0f}"'
        parts = [
            f'<rect class="{card.kind}" x="{self.left:.0f}" y="{y:.0f}" {size} rx="5"/>',
            _text(self.left + 12, y + 19, name, "name"),
            *(_text(self.left + 12, y + 36 + _ROW * at, text, "small") for at, text in enumerate(others)),
        ]
        if card.meter is not None:
            parts += self._meter(card.meter, y + height - _METER - 3)
        if card.tag:
            width = _width([card.tag]) + 12
            left = self.right - width - 6
            tag = f'x="{left:.0f}" y="{y + 5:.0f}" width="{width:.0f}" height="{_TAG}"'
            parts += [f'<rect class="tag" {tag} rx="4"/>', _text(left + width / 2, y + 19, card.tag, "tag", "middle")]
        if card.link:
            return [f"<a id={quoteattr(card.anchor)} href={quoteattr(card.link)}>", *parts, "</a>"]
        return parts

    def _meter(self, share: float, y: float) -> list[str]:
        whole = self.box_width - 24
        filled = max(1.0, whole * min(1.0, max(0.0, share)))
        place = f'x="{self.left + 12:.0f}" y="{y:.0f}" height="{_METER - 2}" rx="2"'
        return [
            f'<rect class="{kind}" {place} width="{width:.1f}"/>'
            for kind, width in (("meter", whole), ("filled", filled))
        ]

    def _down(self, arrow: Arrow) -> list[str]:
        x = self.left + self.box_width / 2
        y = self.tops[arrow.target]
        above = arrow.target - 1
        return [
            _line([(x, self.tops[above] + self._height(above)), (x, y)]),
            _text(x + 10, y - _GAP / 2 + 4, arrow.label, "small"),
        ]

    def _given(self, arrow: Arrow, port: int) -> list[str]:
        y = self.tops[arrow.target] + _PORT * (port + 1)
        end = _MARGIN + self.file_width
        return [
            f'<rect class="file" x="{_MARGIN}" y="{y - 8:.0f}" width="{self.file_width:.0f}" height="16"/>',
            _text(_MARGIN + 8, y + 4, arrow.file or "", "small"),
            _line([(end, y), (self.left, y)]),
            _text((end + self.left) / 2 - 4, y - 4, arrow.label, "small", "middle"),
        ]

    def _skip(self, arrow: Arrow, port: int) -> list[str]:
        source = arrow.source or 0
        lane = self.lanes[source]
        x = self.right + self.label_width + _LANE * lane
        y = self.tops[arrow.target] + _PORT * (port + 1)
        begin = self.tops[source] + self._height(source) - 8
        return [
            _line([(self.right, begin), (x, begin), (x, y), (self.right, y)], lane % len(_LINES)),
            _text(self.right + 12, y - 4, arrow.label, "small"),
        ]

    def parts(self) -> str:
        found: list[str] = []
        for arrow in self.straight:
            found += self._down(arrow)
        for number in range(len(self.cards)):
            found += self._card(number)
            into = (arrow for arrow in self.files if arrow.target == number)
            found += [part for port, arrow in enumerate(into) for part in self._given(arrow, port)]
            skips = (arrow for arrow in self.skipping if arrow.target == number)
            found += [part for port, arrow in enumerate(skips) for part in self._skip(arrow, port)]
        return "\n".join(found)

    def opened(self, attributes: str) -> str:
        return (
            f'<svg {attributes} width="{self.width:.0f}" height="{self.height:.0f}" '
            f'viewBox="0 0 {self.width:.0f} {self.height:.0f}">\n'
        )


_NAMESPACE = 'xmlns="http://www.w3.org/2000/svg"'
_ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
    'orient="auto"><path class="head" d="M0 0 L8 4 L0 8 z"/></marker></defs>\n'
)


def as_svg(graph: Graph) -> str:
    """An SVG picture of a plan that needs nothing beside it."""
    cards = tuple(
        Card(lines=(f"{box.number} {box.name}", f"{box.executor}, {box.state}"), kind=box.state)
        for box in graph.boxes
    )
    drawing = _Drawing(cards, tuple(_arrow(graph, edge) for edge in graph.edges))
    return (
        f"{drawing.opened(_NAMESPACE)}<style>{_STYLE}</style>\n{_ARROW}"
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n{drawing.parts()}\n</svg>\n'
    )


def _arrow(graph: Graph, edge: Edge) -> Arrow:
    skips = edge.source is not None and edge.source < edge.target - 1
    label = f"{edge.label} of {graph.boxes[edge.source or 0].name}" if skips else edge.label
    return Arrow(source=edge.source, target=edge.target, label=label, file=edge.file)


def draw_column(cards: Sequence[Card], arrows: Sequence[Arrow], label: str) -> str:
    """The same boxes and arrows inside a page, whose style sheet colours them. `label` is for screen readers."""
    drawing = _Drawing(cards, arrows)
    opened = drawing.opened(f'class="column" role="group" aria-label={quoteattr(label)}')
    return f"{opened}{_ARROW}{drawing.parts()}\n</svg>\n"
