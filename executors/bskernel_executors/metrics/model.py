"""The types of metrics.json. A value that no report states is absent, never 0."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

Stage: TypeAlias = Literal[
    "float", "qonnx", "finn", "hwgraph", "estimate", "hls", "rtlsim", "synth", "routed", "measured"
]
STAND_IN = "stand-in"  # marks numbers of the tests' stand-in for Vivado, which must never pass for real ones


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A number with its unit, the stage at which it was found, and the report that states it."""

    value: float
    unit: str
    stage: Stage
    source: str

    @property
    def is_stand_in(self) -> bool:
        """Whether the number is from the tests' stand-in for Vivado, which recorded it from another design."""
        return self.source.startswith(STAND_IN)


class ReconciledQuantity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One quantity at all stages: the number of each stage's last report, and its ratio to the estimate."""

    quantity: str
    unit: str
    values: dict[Stage, float]
    ratios: dict[Stage, float] = {}


class LayerMetrics(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One layer: cycles per frame, folding attributes, resources by stage, and whether it is the bottleneck."""

    name: str
    cycles: int | None = None
    folding: dict[str, Any] = {}
    resources: dict[str, float] = {}  # estimated
    synthesized: dict[str, int] = {}  # with the layer's weight memory
    routed: dict[str, int] = {}  # with the layer's weight memory
    bottleneck: bool = False


class BuildMetrics(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """All metrics of a build, with one value per quantity, stage and report."""

    format: Literal[1] | None = None  # in the metrics.json that the kernel writes of them
    hardware_share: float | None = None  # fraction of the network's MACs that all numbers are of, if it is known
    frames: int = 1  # per execution; throughput counts frames, latency and cycles are of one execution
    throughput: tuple[Value, ...] = ()  # inferences/s
    latency: tuple[Value, ...] = ()  # us
    clock: tuple[Value, ...] = ()  # MHz
    power: tuple[Value, ...] = ()  # W
    accuracy: tuple[Value, ...] = ()  # fraction of inputs
    slack: tuple[Value, ...] = ()  # worst setup slack in ns; negative if the clock is not met
    timing_met: bool | None = None  # of the routed design; absent when nothing was checked
    fifo_memory: tuple[Value, ...] = ()  # KiB in all FIFOs
    resources: dict[str, tuple[Value, ...]] = {}  # LUT, FF, BRAM_18K, URAM, DSP...: counts
    utilization: dict[str, tuple[Value, ...]] = {}  # LUT, FF, BRAM, URAM, DSP: fractions of the device
    device: dict[str, int] = {}  # resource -> total count
    # LUT, FF, BRAM_18K, URAM, DSP: fractions of target.budget, above 1 if it is not kept; `worst` is the largest
    budget: dict[str, tuple[Value, ...]] = {}
    reconciliation: tuple[ReconciledQuantity, ...] = ()  # empty with a single stage
    bottleneck: str | None = None
    layers: tuple[LayerMetrics, ...] = ()
    raw: dict[str, Any] = {}  # every report as it was read
    warnings: tuple[str, ...] = ()
