"""Place and route with nextpnr, with one seed after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from bskernel_executors.lattice.devices import Family, LatticePart
from bskernel_executors.nextpnr_route.programs import PROGRAMS, SHOWN, run_program
from bskernel_executors.nextpnr_route.report import Report, find_overflow, read_report
from bskernel_executors.sdk import StepFailure

Effort: TypeAlias = Literal["default", "high"]
Pins: TypeAlias = Literal["free", "out-of-context", "board"]
_PIN_OPTIONS: dict[Family, dict[Pins, tuple[str, ...]]] = {
    "ecp5": {
        "free": ("--lpf-allow-unconstrained",),
        "out-of-context": ("--out-of-context",),
        "board": ("--lpf", f"{SHOWN}/pins.lpf"),
    },
    # nextpnr-ice40 places every pin of the top module.
    "ice40": {"free": ("--pcf-allow-unconstrained",), "board": ("--pcf", f"{SHOWN}/pins.lpf")},
}
_CONFIG_OPTION: dict[Family, str] = {"ecp5": "--textcfg", "ice40": "--asc"}
_EFFORT_OPTIONS: dict[Effort, tuple[str, ...]] = {"default": (), "high": ("--tmg-ripup",)}
_LOG = "nextpnr.log"
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
    part: LatticePart, *, mhz: float, seed: int, effort: Effort, pins: Pins, write_netlist: bool
) -> list[str]:
    """Make nextpnr's arguments for the files of a folder."""
    speed = () if part.speed is None else ("--speed", str(part.speed))
    names = {what: f"{SHOWN}/{what}-{seed}.{ending}" for what, ending in _ENDINGS.items()}
    return [
        f"--{part.device.nextpnr}", "--package", part.package, *speed,
        "--json", f"{SHOWN}/netlist.json", "--freq", f"{mhz:.6g}", "--seed", str(seed), "--timing-allow-fail",
        "--log", f"{SHOWN}/{_LOG}",
        "--report", names["report"], _CONFIG_OPTION[part.family], names["config"], "--no-print-critical-path-source",
        *_PIN_OPTIONS[part.family][pins], *_EFFORT_OPTIONS[effort],
        *(["--write", names["netlist"]] if write_netlist else []),
    ]  # fmt: skip


def route_once(
    folder: Path,
    part: LatticePart,
    *,
    mhz: float,
    seed: int,
    effort: Effort,
    pins: Pins,
    write_netlist: bool,
    translated: Path,
) -> Attempt:
    """Route folder/netlist.json with one seed.

    Raises StepFailure with nextpnr's errors, or (resource) with what the design has too much of.
    """
    programs = PROGRAMS[part.family]
    try:
        run_program(
            programs.package,
            programs.route,
            make_arguments(part, mhz=mhz, seed=seed, effort=effort, pins=pins, write_netlist=write_netlist),
            folder=folder,
            translated=translated,
            failed=f"nextpnr failed to route the design with seed {seed}",
        )
    except StepFailure as failure:
        log = folder / _LOG
        short = find_overflow(log.read_text(encoding="utf-8", errors="replace")) if log.exists() else {}
        if not short:
            raise
        texts = ", ".join(f"{used:,} {name} of {there:,}" for name, (used, there) in short.items())
        raise StepFailure(
            category="resource",
            message=f"the design does not fit {part.device_name}: packed, it needs {texts}",
            hint="fold more: a smaller target.target_fps",
            cause=failure.failure.cause,
        ) from failure
    report = folder / f"report-{seed}.{_ENDINGS['report']}"
    return Attempt(seed=seed, report=read_report(report.read_bytes()), folder=folder)


def choose(attempts: Sequence[Attempt]) -> Attempt:
    """Choose the attempt that meets its clock, else the fastest; of equal ones the first."""
    return max(attempts, key=lambda attempt: (attempt.is_met, attempt.mhz or 0.0))
