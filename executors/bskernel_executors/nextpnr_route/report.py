"""Read nextpnr's report (--report) into types. Pure.

Source of the format: common/kernel/report.cc of nextpnr 0.11.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from bskernel_executors.exchange.synthesis import CriticalPath
from bskernel_executors.sdk import StepFailure

# What nextpnr adds to a clock's name.
_CLOCK_BEGINS, _CLOCK_ENDS = "$glbnet$", ("$TRELLIS_IO_IN", "$SB_IO_IN", "$SB_IO_IN_$glb_clk", "_$glb_clk")
# What nextpnr calls the resources. A distributed RAM's write port takes a slice of an ECP5, which has two LUTs. A
# logic cell of an iCE40 has a LUT and a flip-flop, which are not counted apart.
_LUTS = {"TRELLIS_COMB": 1, "TRELLIS_RAMW": 2, "ICESTORM_LC": 1}
_RESOURCES = {
    "TRELLIS_FF": "FF", "MULT18X18D": "DSP", "DP16KD": "BRAM_18K", "ICESTORM_DSP": "DSP", "ICESTORM_RAM": "BRAM_4K"
}  # fmt: skip
_NAMES = {"TRELLIS_COMB": "LUT", "ICESTORM_LC": "logic cells", "SB_IO": "pins", "TRELLIS_IO": "pins", **_RESOURCES}
_COUNT = re.compile(r"^Info:\s+(\w+):\s+(\d+)/\s*(\d+)\s+\d+%$", re.MULTILINE)


class RoutedClock(msgspec.Struct, frozen=True, kw_only=True):
    """A clock's highest frequency, and the one that was asked for, in MHz."""

    achieved: float
    constraint: float

    @property
    def slack_ns(self) -> float:
        """The worst setup slack in ns."""
        return 1e3 / self.constraint - 1e3 / self.achieved

    @property
    def is_met(self) -> bool:
        """Whether the clock reaches what was asked for."""
        return self.achieved >= self.constraint


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """Cells of one kind in the design and on the device."""

    used: int
    available: int


class _End(msgspec.Struct, frozen=True):
    cell: str
    port: str


class _Segment(msgspec.Struct, frozen=True, rename={"begin": "from", "end": "to"}):
    delay: float
    begin: _End
    end: _End
    type: str
    net: str | None = None


class _Path(msgspec.Struct, frozen=True, rename={"begin": "from", "end": "to"}):
    begin: str
    end: str
    path: tuple[_Segment, ...]


class Report(msgspec.Struct, frozen=True):
    """The report. Paths begin and end at a clock's edge, or are of inputs and outputs (<async>)."""

    fmax: dict[str, RoutedClock]
    utilization: dict[str, Count]
    critical_paths: tuple[_Path, ...]

    @property
    def clocks(self) -> dict[str, RoutedClock]:
        """The clocks by the name of the net in the design."""
        return {name_clock(name): clock for name, clock in self.fmax.items()}

    @property
    def slowest(self) -> tuple[str, RoutedClock] | None:
        """The clock with the least slack; None for a design without registers."""
        return min(self.clocks.items(), key=lambda item: item[1].slack_ns, default=None)


def name_clock(net: str) -> str:
    """Return a clock's name in the design."""
    name = net.removeprefix(_CLOCK_BEGINS)
    return name.removesuffix(max((end for end in _CLOCK_ENDS if name.endswith(end)), key=len, default=""))


def read_report(text: bytes) -> Report:
    """Read a report. Raises StepFailure (executor) for a text of another form."""
    try:
        return msgspec.json.decode(text, type=Report)
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise StepFailure(category="executor", message=f"nextpnr's report is not of version 0.11: {error}") from error


def count_used(utilization: Mapping[str, Count]) -> dict[str, int]:
    """Count what the design takes, by resource."""
    luts = sum(size * utilization[kind].used for kind, size in _LUTS.items() if kind in utilization)
    return {"LUT": luts} | {name: utilization[kind].used for kind, name in _RESOURCES.items() if kind in utilization}


def find_overflow(log: str) -> dict[str, tuple[int, int]]:
    """Find what a design that nextpnr packed has too many of, in its log: resource -> used and available."""
    counts = {_NAMES.get(kind, kind): (int(used), int(there)) for kind, used, there in _COUNT.findall(log)}
    return {name: count for name, count in counts.items() if count[0] > count[1]}


def name_layer(cell: str, layers: Iterable[str]) -> str | None:
    """Return the layer of a cell of a flat netlist; None outside of all layers."""
    known = tuple(layers)
    for instance in cell.split(".")[:-1]:  # the last part is the cell itself
        fitting = [name for name in known if instance == name or instance.startswith(f"{name}_")]
        if fitting:
            return max(fitting, key=len)
    return None


def find_critical_path(report: Report, layers: tuple[str, ...]) -> CriticalPath | None:
    """Find the longest path from a clock's edge to the next one of the slowest clock."""
    slowest = report.slowest
    if slowest is None:
        return None
    edge = f"posedge {next(net for net in report.fmax if name_clock(net) == slowest[0])}"
    paths = [path for path in report.critical_paths if path.begin == path.end == edge and path.path]
    if not paths:
        return None
    longest = max(paths, key=lambda path: sum(segment.delay for segment in path.path)).path
    passed = [name_layer(cell, layers) for segment in longest for cell in (segment.begin.cell, segment.end.cell)]
    worst = max(longest, key=lambda segment: segment.delay)
    return CriticalPath(
        begins=longest[0].begin.cell,
        ends=longest[-1].end.cell,
        layers=tuple(dict.fromkeys(name for name in passed if name is not None)),
        delay_ns=round(sum(segment.delay for segment in longest), 3),
        routing_ns=round(sum(segment.delay for segment in longest if segment.type == "routing"), 3),
        slowest=worst.net or f"{worst.begin.cell} ({worst.type})",
        slowest_ns=round(worst.delay, 3),
    )
