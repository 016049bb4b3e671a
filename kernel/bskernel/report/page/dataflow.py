"""The accelerator's layers and streams as boxes and arrows. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bskernel.report.graph_svg import Arrow, Card, draw_column
from bskernel.report.page.figures import number, percent, shape_text
from bskernel.report.page.layers import LayerFacts, Link

MOST = 400  # boxes; of a larger network the table alone is shown
_LONGEST = 46  # characters of a line
_DOT = " \N{MIDDLE DOT} "  # between facts; SVG joins spaces
_COUNTS = ("LUT", "FF", "BRAM_18K", "BRAM_36K", "BRAM", "URAM", "DSP")


def draw_dataflow(layers: Sequence[LayerFacts]) -> str:
    """The layers in one column, from the accelerator's input to its output; a click leads to #layer-N."""
    cards = [Card(lines=("input",), kind="file")]
    arrows = []
    for at, layer in enumerate(layers):
        cards.append(_card(layer, at))
        for link in layer.links:
            source = 0 if link.source is None else link.source + 1
            if source <= at:
                arrows.append(_arrow(link, source, at + 1))
    return draw_column(cards, arrows, "The accelerator's layers, from input to output")


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"


def _arrow(link: Link, source: int, target: int) -> Arrow:
    depths = ", ".join(f"{fifo.depth}" for fifo in link.fifos if fifo.depth is not None)
    texts = [f"FIFO {depths}" if depths else "", link.datatype or ""]
    if source == target - 1:  # beside a lane there is little room, and the shape is that of the other output
        texts.append(shape_text(link.shape))
    return Arrow(source=source, target=target, label=_cut(_DOT.join(text for text in texts if text)))


def _card(layer: LayerFacts, at: int) -> Card:
    shapes = (shape_text(layer.input_shape), shape_text(layer.output_shape))
    lines = [
        layer.name,
        layer.operator or "",
        " \N{RIGHTWARDS ARROW} ".join(shape for shape in shapes if shape),
        types_text(layer),
        _DOT.join((*(f"{key} {value}" for key, value in layer.folding.items()), *_pace(layer))),
        counts_text(layer),
        waits_text(layer),
    ]
    return Card(
        lines=tuple(_cut(line) for line in lines if line),
        kind="slow" if layer.bottleneck else "layer",
        tag="bottleneck" if layer.bottleneck else "",
        meter=layer.busy,
        link=f"#layer-{at}",
        anchor=f"node-{at}",
    )


def _pace(layer: LayerFacts) -> list[str]:
    if layer.cycles is None:
        return []
    share = f" ({percent(layer.share)})" if layer.share is not None else ""
    return [f"{number(layer.cycles)} cycles{share}"]


def types_text(layer: LayerFacts) -> str:
    """UINT4 -> INT12, parameters INT4, as far as it is known."""
    flow = " \N{RIGHTWARDS ARROW} ".join(kind for kind in (layer.input_type, layer.output_type) if kind)
    given = f"parameters {layer.weight_type}" if layer.weight_type else ""
    return _DOT.join(text for text in (flow, given) if text)


def counts_text(layer: LayerFacts) -> str:
    """LUT 126, DSP 2 (synth): the resources that the latest stage counts, without those that are not used."""
    stage, counts = layer.latest_counts
    used = [f"{name.replace('BRAM_', 'BRAM')} {number(counts[name])}" for name in _COUNTS if counts.get(name)]
    return f"{_DOT.join(used)} ({stage})" if used else ""


def waits_text(layer: LayerFacts) -> str:
    """How long the layer waited in the simulation."""
    stalled = f"stalled {percent(layer.stalled)}" if layer.stalled is not None else ""
    starved = f"starved {percent(layer.starved)}" if layer.starved is not None else ""
    return _DOT.join(text for text in (stalled, starved) if text)
