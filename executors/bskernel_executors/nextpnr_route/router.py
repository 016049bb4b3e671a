"""Place and route with nextpnr-ecp5, with one seed after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from bskernel_executors.lattice.devices import Ecp5Part
from bskernel_executors.nextpnr_route.programs import SHOWN, run_program
from bskernel_executors.nextpnr_route.report import Report, read_report

Effort: TypeAlias = Literal["default", "high"]
Pins: TypeAlias = Literal["free", "out-of-context", "board"]
_PIN_OPTIONS: dict[Pins, tuple[str, ...]] = {
    "free": ("--lpf-allow-unconstrained",),
    "out-of-context": ("--out-of-context",),
    "board": ("--lpf", f"{SHOWN}/pins.lpf"),
}
_EFFORT_OPTIONS: dict[Effort, tuple[str, ...]] = {"default": (), "high": ("--tmg-ripup",)}
_ENDINGS = {"report": "json", "config": "config", "netlist": "routed.json"}


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """A design that was routed with one seed: its report, and the folder of its files."""

    seed: int
    report: Report
    folder: Path

    def path(self, what: str) -> Path:
        """Return the path of its report, config or netlist."""
        return self.folder / f"{what}-{self.seed}.{_ENDINGS[what]}"

    @property
    def mhz(self) -> float | None:
        """The highest frequency of its slowest clock; None without clocks."""
        slowest = self.report.slowest
        return slowest[1].achieved if slowest is not None else None

    @property
    def is_met(self) -> bool:
        """Whether every clock reaches what was asked for."""
        return all(clock.is_met for clock in self.report.clocks.values())


def make_arguments(
    part: Ecp5Part, *, mhz: float, seed: int, effort: Effort, pins: Pins, write_netlist: bool
) -> list[str]:
    """Make nextpnr's arguments for the files of a folder."""
    names = {what: f"{SHOWN}/{what}-{seed}.{ending}" for what, ending in _ENDINGS.items()}
    return [
        f"--{part.device.nextpnr}", "--package", part.package, "--speed", str(part.speed),
        "--json", f"{SHOWN}/netlist.json", "--freq", f"{mhz:.6g}", "--seed", str(seed), "--timing-allow-fail",
        "--report", names["report"], "--textcfg", names["config"], "--no-print-critical-path-source",
        *_PIN_OPTIONS[pins], *_EFFORT_OPTIONS[effort], *(["--write", names["netlist"]] if write_netlist else []),
    ]  # fmt: skip


def route_once(
    folder: Path,
    part: Ecp5Part,
    *,
    mhz: float,
    seed: int,
    effort: Effort,
    pins: Pins,
    write_netlist: bool,
    translated: Path,
) -> Attempt:
    """Route folder/netlist.json with one seed. Raises StepFailure with nextpnr's errors."""
    run_program(
        "nextpnr-ecp5",
        make_arguments(part, mhz=mhz, seed=seed, effort=effort, pins=pins, write_netlist=write_netlist),
        folder=folder,
        translated=translated,
        failed=f"nextpnr failed to route the design with seed {seed}",
    )
    report = folder / f"report-{seed}.{_ENDINGS['report']}"
    return Attempt(seed=seed, report=read_report(report.read_bytes()), folder=folder)


def choose(attempts: Sequence[Attempt]) -> Attempt:
    """Choose the attempt that meets its clock, else the fastest; of equal ones the first."""
    return max(attempts, key=lambda attempt: (attempt.is_met, attempt.mhz or 0.0))
