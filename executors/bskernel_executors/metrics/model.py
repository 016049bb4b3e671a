"""The types of metrics.json. What no report says is absent, never 0."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

Stage: TypeAlias = Literal[
    "float", "qonnx", "finn", "hwgraph", "estimate", "hls", "rtlsim", "synth", "routed", "measured"
]
STAND_IN = "stand-in"  # for Vivado, in tests: its numbers must never look like hardware's


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One number with its unit, the stage it was found at, and the report that says it."""

    value: float
    unit: str
    stage: Stage
    source: str

    @property
    def is_stand_in(self) -> bool:
        """Is it a number of the tests' stand-in for Vivado, recorded from another design?"""
        return self.source.startswith(STAND_IN)


class Comparison(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One quantity through the stages: the number of a stage's last report, and its multiple of the estimate."""

    quantity: str
    unit: str
    values: dict[Stage, float]
    ratios: dict[Stage, float] = {}


class Layer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One layer: cycles per frame, folding attributes, resources, and whether it sets the pace."""

    name: str
    cycles: int | None = None
    folding: dict[str, Any] = {}
    resources: dict[str, float] = {}  # estimated
    synthesized: dict[str, int] = {}  # with the layer's weight memory
    routed: dict[str, int] = {}  # so too
    bottleneck: bool = False


class BuildMetrics(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """All metrics of a build; several stages of one quantity stand side by side."""

    throughput: tuple[Value, ...] = ()  # inferences/s
    latency: tuple[Value, ...] = ()  # us
    clock: tuple[Value, ...] = ()  # MHz
    power: tuple[Value, ...] = ()  # W
    accuracy: tuple[Value, ...] = ()  # fraction of inputs
    slack: tuple[Value, ...] = ()  # worst negative slack in ns; below 0 the clock is not met
    timing_met: bool | None = None  # of the routed design; absent when nothing was checked
    fifo_memory: tuple[Value, ...] = ()  # KiB in all FIFOs
    resources: dict[str, tuple[Value, ...]] = {}  # LUT, FF, BRAM_18K, URAM, DSP...: counts
    utilization: dict[str, tuple[Value, ...]] = {}  # LUT, FF, BRAM, URAM, DSP: fractions of the device
    device: dict[str, int] = {}  # its totals
    reconciliation: tuple[Comparison, ...] = ()  # where more than one stage is there
    bottleneck: str | None = None
    layers: tuple[Layer, ...] = ()
    raw: dict[str, Any] = {}  # every report as it was read
    warnings: tuple[str, ...] = ()
