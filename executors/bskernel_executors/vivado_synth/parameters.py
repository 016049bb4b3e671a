"""Parameters of the entries. Directives have Vivado's own names."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from bskernel_executors.exchange.parts import AmdPart
from bskernel_executors.sdk import parameter

Flatten = Literal["rebuilt", "full", "none"]
SynthesisDirective = Literal[
    "Default", "RuntimeOptimized", "AreaOptimized_high", "AreaOptimized_medium", "AlternateRoutability",
    "AreaMapLargeShiftRegToBRAM", "AreaMultThresholdDSP", "FewerCarryChains", "PerformanceOptimized",
    "LogicCompaction", "PowerOptimized_high", "PowerOptimized_medium",
]  # fmt: skip
OptDirective = Literal[
    "Default", "Explore", "ExploreArea", "ExploreWithRemap", "ExploreSequentialArea", "AddRemap", "RuntimeOptimized",
    "NoBramPowerOpt",
]  # fmt: skip
PlaceDirective = Literal[
    "Default", "Explore", "WLDrivenBlockPlacement", "EarlyBlockPlacement", "ExtraNetDelay_high", "ExtraNetDelay_low",
    "AltSpreadLogic_high", "AltSpreadLogic_medium", "AltSpreadLogic_low", "ExtraPostPlacementOpt", "ExtraTimingOpt",
    "SSI_SpreadLogic_high", "SSI_SpreadLogic_low", "RuntimeOptimized", "Quick",
    "Auto_1", "Auto_2", "Auto_3",
]  # fmt: skip
PhysOptDirective = Literal[
    "Default", "Explore", "ExploreWithHoldFix", "AggressiveExplore", "AlternateReplication",
    "AggressiveFanoutOpt", "AddRetime", "AlternateFlowWithRetiming", "RuntimeOptimized",
]  # fmt: skip
RouteDirective = Literal[
    "Default", "Explore", "AggressiveExplore", "NoTimingRelaxation", "MoreGlobalIterations", "HigherDelayCost",
    "AdvancedSkewModeling", "AlternateCLBRouting", "RuntimeOptimized", "Quick",
]  # fmt: skip


class SynthesisParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `synthesize`."""

    part: Annotated[AmdPart, parameter("FPGA part", default_from="target.part")]
    clock_ns: Annotated[float, parameter("clock period", unit="ns", default_from="target.clock_ns")]
    directive: Annotated[SynthesisDirective, parameter("synth_design -directive")] = "Default"
    flatten_hierarchy: Annotated[
        Flatten, parameter("synth_design -flatten_hierarchy; with full, layers are not counted")
    ] = "rebuilt"
    threads: Annotated[int, parameter("general.maxThreads; does not change results")] = 2


class ImplementationParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `implement`."""

    part: Annotated[AmdPart, parameter("FPGA part", default_from="target.part")]
    clock_ns: Annotated[float, parameter("clock period", unit="ns", default_from="target.clock_ns")]
    opt_directive: Annotated[OptDirective, parameter("opt_design -directive")] = "Default"
    place_directive: Annotated[PlaceDirective, parameter("place_design -directive")] = "Default"
    phys_opt_directive: Annotated[
        PhysOptDirective | None, parameter("phys_opt_design -directive; null skips phys_opt_design")
    ] = "Default"
    route_directive: Annotated[RouteDirective, parameter("route_design -directive")] = "Default"
    require_timing: Annotated[bool, parameter("fail when the routed design misses its clock")] = False
    threads: Annotated[int, parameter("general.maxThreads; does not change results")] = 2
