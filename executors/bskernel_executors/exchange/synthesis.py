"""synthesis.json and implementation.json: what tools report of a design. A value that no report states is absent."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

import msgspec
from bskernel_protocol import FailureCategory

from bskernel_executors.exchange.artifact_file import read_artifact

SYNTHESIS, IMPLEMENTATION = "synthesis.json", "implementation.json"


class CellSynthesis(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """synthesis.json of a tool that counts cells and knows no timing, e.g. Yosys."""

    tool: str
    family: str  # the tool's name of the device's family
    design: dict[str, int]  # resource -> count
    layers: dict[str, dict[str, int]]  # layer -> resource -> count
    differences: tuple[str, ...]  # how the counts differ from those of a vendor's tool


class QorTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One task of a run, e.g. route_design: the slacks after it in ns, its duration, and its directive."""

    task: str
    directive: str | None = None
    wns_ns: float | None = None
    tns_ns: float | None = None
    whs_ns: float | None = None
    ths_ns: float | None = None
    minutes: float | None = None


class CriticalPath(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The path that bounds the clock: the cells at its ends, the layers that it passes, and its delays in ns."""

    begins: str
    ends: str
    layers: tuple[str, ...]  # in the path's order; empty for a path outside of all layers
    delay_ns: float
    routing_ns: float  # of delay_ns
    slowest: str  # the cell or net with the longest delay
    slowest_ns: float


class _ToolReport(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a vendor's tool reports: counts of the design and of its layers, slack, clock and power."""

    tool: str
    part: str
    clock_ns: float  # the period that was asked for
    stand_in: bool = False  # the tests' stand-in wrote this: the numbers are of another design
    design: dict[str, int | float] = {}  # resource -> count
    available: dict[str, int] = {}  # resource -> count of the device
    layers: dict[str, dict[str, int]] = {}  # layer, with its weight memory -> resource -> count
    wns_ns: float | None = None  # worst setup slack
    whs_ns: float | None = None  # worst hold slack
    failing_endpoints: int | None = None
    endpoints: int | None = None
    met: bool | None = None  # absent when nothing was checked
    fmax_mhz: float | None = None
    power_w: float | None = None
    power_confidence: str | None = None  # Low, Medium or High
    tasks: tuple[QorTask, ...] = ()
    differences: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class TimedSynthesis(_ToolReport, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """synthesis.json of a tool that estimates timing and power before placement, e.g. Vivado."""

    stage: Literal["synth"]


class Implementation(_ToolReport, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """implementation.json: what a tool reports of the routed design."""

    stage: Literal["routed"]
    clocks: dict[str, float] = {}  # clock -> highest frequency in MHz
    critical_path: CriticalPath | None = None
    seeds: dict[str, float] = {}  # seed that was tried -> highest frequency of the slowest clock in MHz
    pins: Literal["free", "out-of-context", "board"] | None = None  # absent when the tool has no such choice


Synthesis: TypeAlias = CellSynthesis | TimedSynthesis
_KEYS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_CELLS, _TIMED = msgspec.json.Decoder(CellSynthesis), msgspec.json.Decoder(TimedSynthesis)
_ROUTED = msgspec.json.Decoder(Implementation)


def read_synthesis(path: Path, *, category: FailureCategory = "config") -> Synthesis:
    """Read a synthesis of either form: the one with timing has a key `stage`. Raises StepFailure (`category`)."""
    writer = "yosys-synth:join, yosys-synth:join_lattice or vivado-synth:synthesize"
    keys = read_artifact(path, _KEYS, SYNTHESIS, writer=writer, category=category)
    if "stage" in keys:
        return read_artifact(path, _TIMED, SYNTHESIS, writer="vivado-synth:synthesize", category=category)
    return read_artifact(path, _CELLS, SYNTHESIS, writer="yosys-synth:join", category=category)


def read_implementation(path: Path, *, category: FailureCategory = "config") -> Implementation:
    """Read an implementation. Raises StepFailure (`category`)."""
    writer = "nextpnr-route:route or vivado-synth:implement"
    return read_artifact(path, _ROUTED, IMPLEMENTATION, writer=writer, category=category)
