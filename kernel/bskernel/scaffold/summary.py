"""A network in a few lines for a terminal. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from bskernel.scaffold.network import DescribedNetwork, DescribedTensor, Obstacle

_SHOWN = 3  # inputs, outputs, operators of a kind
_STAGES = {
    "onnx": "ONNX without quantizers",
    "qonnx": "QONNX",
    "finn": "a FINN model (integers and thresholds)",
    "hwgraph": "a hardware graph of FINN",
    "estimates": "a folded hardware graph of FINN",
    "rtl": "a hardware graph with generated code",
}


def summarize_network(found: DescribedNetwork, model: str) -> list[str]:
    """The summary, a line each."""
    kind = " or ".join(_STAGES.get(stage, stage) for stage in found.stages) or "at no stage that is known"
    origin = ", ".join(
        part
        for part in (
            f"exported by {found.exporter}" if found.exporter else "",
            f"opset {found.opset}" if found.opset else "",
        )
        if part
    )
    rows = [("input", _show_ends(found.inputs)), ("output", _show_ends(found.outputs))]
    if found.layers:
        rows += [("layers", _show_layers(found)), *_show_bits(found), ("hardware", _show_split(found))]
    if found.changes:
        made = "1 change" if found.changes == 1 else f"{found.changes} changes"
        rows.append(("adapt", f"{made} to what the exporter wrote; the build lists each"))
    width = max(len(label) for label, _ in rows)
    return [f"{model}: {kind}{f' ({origin})' if origin else ''}", *(f"  {a:{width}}  {b}" for a, b in rows)]


def describe_obstacles(obstacles: Sequence[Obstacle]) -> list[str]:
    """What stands in the way, and the remedy: two lines each."""
    lines = []
    for obstacle in obstacles:
        lines.append(f"{'error' if obstacle.fails else 'warning'}: {obstacle.what}")
        if obstacle.remedy:
            lines.append(f"  -> {obstacle.remedy}")
    return lines


def _show_ends(ends: Sequence[DescribedTensor]) -> str:
    shown = [f"{_show_end(end)} {end.datatype}" for end in ends[:_SHOWN]]
    return ", ".join(shown) + (f" and {len(ends) - _SHOWN} more" if len(ends) > _SHOWN else "")


def _show_end(end: DescribedTensor) -> str:
    sizes = "of unknown shape" if end.shape is None else f"[{', '.join(map(str, end.shape))}]"
    return f"{end.name} {sizes}"


def _show_layers(found: DescribedNetwork) -> str:
    kinds = [layer.operator for layer in found.layers]
    listed = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    counts = [layer.macs for layer in found.layers]
    known = [count for count in counts if count is not None]
    return listed + (f"; {sum(known):,} MACs per frame" if len(known) == len(counts) else "")


def _show_bits(found: DescribedNetwork) -> Iterator[tuple[str, str]]:
    weights = [layer.weight_datatype for layer in found.layers]
    inputs = [layer.input_datatype for layer in found.layers]
    if any(weights) or any(inputs):
        yield "bits", f"weights {_list_bits(weights)}; inputs of layers {_list_bits(inputs)}"


def _list_bits(datatypes: Sequence[str | None]) -> str:
    bits = sorted({count_bits(datatype) for datatype in datatypes if datatype is not None})
    floats = "float" if None in datatypes else ""
    return ", ".join([*map(str, bits), *([floats] if floats else [])])


def count_bits(datatype: str) -> int:
    """The bits of a value of a QONNX data type; INT8, UINT4, SCALEDINT<6>, FIXED<8,4>, BIPOLAR, TERNARY."""
    size = re.search(r"\d+", datatype)
    return int(size[0]) if size else 2 if datatype == "TERNARY" else 1


def _show_split(found: DescribedNetwork) -> str:
    ready = sum(layer.quantized for layer in found.layers)
    of = f"{ready} of {len(found.layers)} layers quantized in weights and input"
    return of + (f", {found.share:.0%} of the MACs" if found.share is not None else "")
