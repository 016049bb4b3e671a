"""Say in words which part of a network is in hardware: rows of the summary, causes and hints of failures. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from bskernel_executors.exchange.coverage import Coverage, CoveredNode, Part
from bskernel_executors.sdk import StepFailure

_SHOWN = 6  # nodes that a line names
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


def _list_names(nodes: Sequence[CoveredNode]) -> str:
    names = ", ".join(_label(node) for node in nodes[:_SHOWN])
    return names + (f" and {len(nodes) - _SHOWN} more" if len(nodes) > _SHOWN else "")


def _describe_size(coverage: Coverage, node: CoveredNode) -> str:
    total = sum(part.macs for part in coverage.parts.values())
    return f"{format_share(node.macs / total)} of the MACs" if node.macs and total else "an unknown number of MACs"


def describe_node(coverage: Coverage, node: CoveredNode) -> str:
    """Describe a node that is not in hardware: where it is, how much it computes, why, and what to change."""
    facts = [_PLACES[node.part]]
    if node.multiplies:
        facts.append(_describe_size(coverage, node))
    text = f"{_label(node)} ({'; '.join(facts)})"
    if node.reason:
        text += f": {node.reason}"
    if node.remedy:
        text += f". {node.remedy[:1].upper()}{node.remedy[1:]}"
    return text


def list_left_over(coverage: Coverage) -> tuple[str, ...]:
    """Describe the nodes that should be in hardware and are not: unmapped ones, then others that multiply.

    If there is none, describe what is on the host.
    """
    unmapped = [node for node in coverage.nodes if node.part == "unmapped"]
    wanted = unmapped + [node for node in coverage.outside if node.part != "unmapped"]
    left = wanted or [node for node in coverage.nodes if node.part != "hardware"]
    return tuple(describe_node(coverage, node) for node in left)


def make_rows(coverage: Coverage) -> list[dict[str, str]]:
    """Make the rows of the summary: one if all that multiplies is in hardware, else also warnings."""
    layers = [node for node in coverage.nodes if node.part == "hardware"]
    host = [node for node in coverage.nodes if node.part in {"head", "tail"}]
    beside = f"; on the host: {_list_names(host)}" if host else ""
    share = coverage.share
    # Without a product there is nothing to count, but the layers are still in hardware.
    value = f"{len(layers)} layers" + (f", {format_share(share)} of the MACs" if share is not None else "")
    rows = [{"label": "in hardware", "value": value + beside, "note": "coverage"}]
    loud = [node for node in coverage.nodes if node.part == "unmapped" or node in coverage.outside]
    if coverage.outside:
        names = _list_names(coverage.outside)
        of = f"only {format_share(share)} of the network's MACs" if share is not None else "not the whole network"
        rows.append({"label": "warning", "value": f"{of} is in hardware; outside: {names}", "note": "coverage"})
    rows += [
        {"label": "warning", "value": describe_node(coverage, node), "note": "coverage"} for node in loud[:_SHOWN]
    ]
    return rows


def refuse_uncovered(coverage: Coverage) -> StepFailure | None:
    """Make the failure of a network that multiplies, but nowhere in hardware; None if it is covered."""
    if not coverage.outside or coverage.multiplies_in_hardware:
        return None
    remedies = dict.fromkeys(node.remedy for node in coverage.outside if node.remedy)
    return StepFailure(
        category="transform",
        message="no convolution and no product of the network is in hardware, so speed and size would be those of a "
        f"fragment; outside: {_list_names(coverage.outside)}",
        cause=tuple(describe_node(coverage, node) for node in coverage.outside),
        hint="; ".join(remedies) or "quantize the network's input, weights and activations, and export it again",
    )
