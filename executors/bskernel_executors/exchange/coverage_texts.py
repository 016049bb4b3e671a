"""Say in words which part of a network is in hardware: rows of the summary, causes and hints of failures. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bskernel_executors.exchange.coverage import Coverage, CoveredNode, Part
from bskernel_executors.sdk import StepFailure

_SHOWN = 6  # nodes that a line names
_CODED = frozenset({"QuantizeLinear", "DequantizeLinear"})
_PLACES: dict[Part, str] = {
    "head": "on the host, before the accelerator",
    "tail": "on the host, after the accelerator",
    "unmapped": "between hardware layers",
}


def format_share(share: float) -> str:
    """Format a fraction so that neither 0% nor 100% is said of anything else."""
    if 0 < share < 0.01:
        return "less than 1%"
    if 0.99 < share < 1:
        return "more than 99%"
    return f"{share:.0%}"


def _label(node: CoveredNode) -> str:
    return node.name if node.name.startswith(node.kind) else f"{node.kind} {node.name}"


def list_names(nodes: Sequence[CoveredNode]) -> str:
    """List nodes by name, the first of many."""
    names = ", ".join(_label(node) for node in nodes[:_SHOWN])
    return names + (f" and {len(nodes) - _SHOWN} more" if len(nodes) > _SHOWN else "")


def _describe_size(coverage: Coverage, nodes: Sequence[CoveredNode]) -> str:
    total = sum(part.macs for part in coverage.parts.values())
    macs = [node.macs for node in nodes if node.multiplies]
    if not macs:
        return ""
    known = sum(count for count in macs if count is not None)
    return f"; {format_share(known / total)} of the MACs" if known else "; an unknown number of MACs"


def _describe(coverage: Coverage, nodes: Iterable[CoveredNode]) -> tuple[str, ...]:
    """Describe nodes that are not in hardware: where they are, how much they compute, why, and what to change.

    Nodes at the same place for the same reason share a line.
    """
    groups: dict[tuple[Part, str | None, str | None], list[CoveredNode]] = {}
    for node in nodes:
        groups.setdefault((node.part, node.reason, node.remedy), []).append(node)
    lines = []
    for (part, reason, remedy), group in groups.items():
        text = f"{list_names(group)} ({_PLACES[part]}{_describe_size(coverage, group)})"
        text += f": {reason}" if reason else ""
        lines.append(text + (f". {remedy[:1].upper()}{remedy[1:]}" if remedy else ""))
    return tuple(lines)


def describe_left_over(coverage: Coverage) -> tuple[str, ...]:
    """Describe the nodes that should be in hardware and are not: unmapped ones, then others that multiply."""
    unmapped = [node for node in coverage.nodes if node.part == "unmapped"]
    return _describe(coverage, unmapped + [node for node in coverage.outside if node.part != "unmapped"])


def describe_all_outside(coverage: Coverage) -> tuple[str, ...]:
    """Describe every node that is not in hardware."""
    return _describe(coverage, (node for node in coverage.nodes if node.part != "hardware"))


def make_rows(coverage: Coverage) -> list[dict[str, str]]:
    """Make the rows of the summary: one if all that multiplies is in hardware, else also warnings."""
    layers = [node for node in coverage.nodes if node.part == "hardware"]
    host = [node for node in coverage.nodes if node.part in {"head", "tail"}]
    beside = f"; on the host: {list_names(host)}" if host else ""
    share = coverage.share
    # Without a product there is nothing to count, but the layers are still in hardware.
    of = f", {format_share(share)} of the network's MACs" if share is not None else ""
    value = f"{len(layers)} layer{'s' if len(layers) != 1 else ''}{of}{beside}"
    rows = [{"label": "in hardware", "value": value, "note": "coverage"}]
    left = describe_left_over(coverage)
    more = [f"{len(left) - _SHOWN} more lines of this kind are in coverage.json"] if len(left) > _SHOWN else []
    return rows + [{"label": "warning", "value": text, "note": "coverage"} for text in [*left[:_SHOWN], *more]]


def refuse_uncovered(coverage: Coverage) -> StepFailure | None:
    """Make the failure of a network that multiplies, but nowhere in hardware; None if it is covered."""
    if not coverage.outside or coverage.multiplies_in_hardware:
        return None
    remedies = dict.fromkeys(node.remedy for node in coverage.outside if node.remedy)
    hint = "; ".join(remedies) or "quantize the network's input, weights and activations, and export it again"
    if any(node.kind in _CODED for node in coverage.nodes):
        hint = (
            "the network is quantized in QCDQ form (QuantizeLinear, DequantizeLinear), which FINN does not read: "
            "export it as QONNX (in Brevitas: export_qonnx), or convert it: qonnx-transform:transform, QCDQToQONNX"
        )
    return StepFailure(
        category="transform",
        message="no convolution and no product of the network is in hardware, so speed and size would be those of a "
        f"fragment; not in hardware: {list_names(coverage.outside)}",
        cause=_describe(coverage, coverage.outside),
        hint=hint,
    )
