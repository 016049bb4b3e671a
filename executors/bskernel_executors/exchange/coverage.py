"""coverage.json: which part of a network is in hardware, and why the rest is not."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from bskernel_protocol import FailureCategory

from bskernel_executors.exchange.artifact_file import read_artifact

COVERAGE = "coverage.json"
# "head" and "tail": on the host, before and after the accelerator; "unmapped": between hardware layers.
Part: TypeAlias = Literal["hardware", "head", "tail", "unmapped"]


class CoveredNode(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One node of the network, as it is named after the conversion to hardware."""

    name: str
    kind: str  # ONNX's op_type
    part: Part
    multiplies: bool = False  # a convolution or a product
    macs: int | None = None  # multiply-accumulates per execution, of a node that multiplies; absent if unknown
    weights: int | None = None  # elements
    reason: str | None = None  # why it is not in hardware
    remedy: str | None = None  # what to change


class PartSize(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sums over the nodes of one part, without what is unknown."""

    nodes: int
    macs: int
    weights: int


class Coverage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every node of the network in order, without those that only compute constants."""

    frames: int  # per execution: the first dimension of the network's input
    nodes: tuple[CoveredNode, ...]
    parts: dict[Part, PartSize]  # without parts that have no node

    @property
    def share(self) -> float | None:
        """The fraction of all known MACs that is in hardware; None for a network that multiplies nowhere."""
        total = sum(part.macs for part in self.parts.values())
        have = self.parts.get("hardware")
        return (have.macs if have is not None else 0) / total if total else None

    @property
    def outside(self) -> tuple[CoveredNode, ...]:
        """The nodes that multiply, but not in hardware."""
        return tuple(node for node in self.nodes if node.multiplies and node.part != "hardware")

    @property
    def multiplies_in_hardware(self) -> bool:
        """Whether any node that multiplies is in hardware."""
        return any(node.multiplies and node.part == "hardware" for node in self.nodes)


_DECODER = msgspec.json.Decoder(Coverage)


def measure_parts(nodes: tuple[CoveredNode, ...]) -> dict[Part, PartSize]:
    """Sum up the nodes by part."""
    parts: dict[Part, PartSize] = {}
    for node in nodes:
        have = parts.get(node.part, PartSize(nodes=0, macs=0, weights=0))
        parts[node.part] = PartSize(
            nodes=have.nodes + 1, macs=have.macs + (node.macs or 0), weights=have.weights + (node.weights or 0)
        )
    return parts


def read_coverage(path: Path, *, category: FailureCategory = "config") -> Coverage:
    """Read a coverage report. Raises StepFailure (`category`)."""
    return read_artifact(path, _DECODER, COVERAGE, writer="finn-step:coverage", category=category)
