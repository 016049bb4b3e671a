"""The entries of the nextpnr-route executor."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from bskernel_protocol import pretty_json

from bskernel_executors.exchange.design import read_design
from bskernel_executors.exchange.synthesis import Implementation, read_implementation
from bskernel_executors.lattice.boards import list_board_parts
from bskernel_executors.lattice.devices import Family, LatticeName, LatticePart, find_part
from bskernel_executors.nextpnr_route.bitstream import check_packable, pack_twice
from bskernel_executors.nextpnr_route.netlist import MOST_FREE_PINS, check_fit, read_netlist
from bskernel_executors.nextpnr_route.programs import PROGRAMS, is_translated, translate
from bskernel_executors.nextpnr_route.report import count_used, find_critical_path
from bskernel_executors.nextpnr_route.router import Attempt, Effort, Pins, choose, route_once
from bskernel_executors.sdk import Input, Output, Registry, Step, StepFailure, parameter

registry = Registry(
    executor="nextpnr-route", summary="places, routes and packs a netlist for Lattice's ECP5 and iCE40"
)
registry.boards = list_board_parts()
_JSON = "application/json"
_DIFFERENCES: dict[Family, tuple[str, ...]] = {
    "ecp5": ("nextpnr's timing model of ECP5 is measured by Project Trellis, not signed off by Lattice",),
    "ice40": (
        "nextpnr's timing model of iCE40 is Project IceStorm's, not signed off by Lattice",
        "LUTs are logic cells, which have a LUT4 and a flip-flop each",
    ),
}
_TRANSLATED = Input(
    "nextpnr_programs", kind="tree", required=False, help="from translate; made here without it, which takes longer"
)


class RouteParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `route`."""

    part: Annotated[LatticeName, parameter("part of Lattice's", default_from="target.part")]
    clock_ns: Annotated[float, parameter("clock period", unit="ns", default_from="target.clock_ns")]
    seed: Annotated[int, parameter("seed of the placement that is tried first")] = 1
    seeds: Annotated[int, parameter("most seeds to try until the clock is met; the best one counts")] = 3
    effort: Annotated[
        Effort, parameter("high also rips up wires that are late, which takes longer and sometimes helps")
    ] = "default"
    pins: Annotated[
        Literal["auto", "free", "out-of-context"],
        parameter("pins of the top module: any of the package, or none; auto: none if the package may have too few"),
    ] = "auto"
    require_timing: Annotated[bool, parameter("fail when no seed meets the clock")] = False
    write_netlist: Annotated[bool, parameter("also output the routed netlist, for a simulation")] = False

    def __post_init__(self) -> None:
        if self.seeds < 1:
            raise ValueError(f"seeds is {self.seeds}, but at least 1 must be tried")
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}, but must not be negative")


class PackParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `pack`."""

    part: Annotated[
        LatticeName, parameter("part of Lattice's that the design was routed for", default_from="target.part")
    ]
    allow_missed_timing: Annotated[bool, parameter("pack also a design that does not run at its clock")] = False


class TranslateParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `translate`."""

    family: Annotated[Family, parameter("family whose programs are translated")] = "ecp5"


def _programs(step: Step[Any], part: LatticePart, *names: str) -> Path:
    """The folder of translated programs, made here if the step was given none, or those of another family."""
    package, given = PROGRAMS[part.family].package, step.input("nextpnr_programs")
    if given is not None and all(is_translated(package, name, given) for name in names):
        return given
    own = step.work / "programs"
    for name in names:
        step.progress(f"translating {name}")
        translate(package, name, own)
    return own


@registry.entry(
    "translate",
    summary="translate nextpnr and the packer of a family from WebAssembly to machine code, once for all designs",
    parameters=TranslateParameters,
    outputs=(Output("nextpnr_programs", kind="tree"),),
    failure="environment",
)
def translate_programs(step: Step[TranslateParameters]) -> None:
    """Translate the programs."""
    programs = PROGRAMS[step.params.family]
    for name in (programs.route, programs.pack, programs.unpack):
        step.progress(f"translating {name}")
        translate(programs.package, name, step.output("nextpnr_programs"))


def _pins(step: Step[RouteParameters], part: LatticePart, pins: int, constraints: Path | None) -> Pins:
    """Choose where the pins are. Raises StepFailure (config) for a family whose pins nextpnr places always."""
    if constraints is not None:
        return "board"
    if part.family == "ice40":
        if step.params.pins == "out-of-context":
            raise StepFailure(
                category="config",
                message=f"{part.name} cannot be routed out of context: nextpnr-ice40 places every pin",
                hint='set pins = "auto" or "free"',
            )
        return "free"
    if step.params.pins == "auto":
        return "free" if pins <= MOST_FREE_PINS else "out-of-context"
    return step.params.pins


def _rows(result: Implementation) -> list[dict[str, str]]:
    rows = [{"label": "warning", "value": text, "note": result.tool} for text in result.warnings]
    if result.fmax_mhz is not None and result.met is not None:
        asked = 1e3 / result.clock_ns
        verb = "meets" if result.met else "MISSES"
        rows.insert(
            0,
            {
                "label": "timing" if result.met else "timing NOT met",
                "value": f"{result.fmax_mhz:.1f} MHz {verb} the {asked:.1f} MHz that were asked for",
                "note": f"{result.tool}, {len(result.seeds)} seed(s) tried",
            },
        )
    path = result.critical_path
    if path is not None:
        where = " -> ".join(path.layers) or "no layer"
        value = f"{where}: {path.delay_ns:.1f} ns, {path.routing_ns:.1f} of them in wires"
        rows.append(
            {"label": "critical path", "value": value, "note": f"slowest: {path.slowest}, {path.slowest_ns:.1f} ns"}
        )
    return rows


@registry.entry(
    "route",
    summary="place and route a netlist: highest clock, slack, resources, critical path by layer",
    parameters=RouteParameters,
    inputs=(
        Input("lattice_netlist", kind="file", help="from yosys-synth:join_lattice", media_type=_JSON),
        Input("rtl", kind="tree", help="stitched design, for the names of its layers"),
        Input("pin_constraints", kind="file", required=False, help="the board's pins and clock (LPF; PCF for iCE40)"),
        _TRANSLATED,
    ),
    outputs=(
        Output("implementation", kind="file", media_type=_JSON),
        Output("routed_config", kind="file", help="configuration as text, for pack", media_type="text/plain"),
        Output("nextpnr_report", kind="file", help="nextpnr's own report", media_type=_JSON),
        Output("routed_netlist", kind="file", required=False, help="with write_netlist", media_type=_JSON),
    ),
    stage_in=("netlist",),
    stage_out="routed",
    failure="synthesis",
)
def route(step: Step[RouteParameters]) -> None:
    """Place and route. A missed clock is a result; with `require_timing` it is a failure (timing)."""
    given, part = step.params, find_part(step.params.part)
    source = step.required_input("lattice_netlist")
    netlist = read_netlist(source.read_bytes())
    check_fit(netlist, part)
    design = read_design(step.required_input("rtl"))
    constraints = step.input("pin_constraints")
    pins = _pins(step, part, netlist.pins, constraints)
    programs = _programs(step, part, PROGRAMS[part.family].route)
    folder = step.work / "route"
    folder.mkdir()
    shutil.copyfile(source, folder / "netlist.json")
    if constraints is not None:
        shutil.copyfile(constraints, folder / "pins.lpf")
    attempts: list[Attempt] = []
    for seed in range(given.seed, given.seed + given.seeds):
        step.progress(f"placing and routing with seed {seed}")
        attempts.append(
            route_once(
                folder,
                part,
                mhz=1e3 / given.clock_ns,
                seed=seed,
                effort=given.effort,
                pins=pins,
                write_netlist=given.write_netlist,
                translated=programs,
            )
        )
        if attempts[-1].is_met:
            break
    best = choose(attempts)
    result = _describe(best, attempts, part, given.clock_ns, design.layers, pins)
    if given.require_timing and result.met is not True:
        why = "it has no clock" if result.fmax_mhz is None else f"it reaches {result.fmax_mhz:.1f} MHz"
        raise StepFailure(
            category="timing",
            message=f"the routed design does not run at {given.clock_ns:g} ns: {why} with seed {best.seed},"
            f" the best of {len(attempts)}",
            hint="try a longer target.clock_ns, more seeds or less parallelism, or set require_timing = false",
        )
    step.output("implementation").write_text(pretty_json(result), encoding="utf-8")
    shutil.copyfile(best.path("config"), step.output("routed_config"))
    shutil.copyfile(best.path("report"), step.output("nextpnr_report"))
    if given.write_netlist:
        shutil.copyfile(best.path("netlist"), step.output("routed_netlist"))
    step.record({"summary": _rows(result)})


def _describe(
    best: Attempt,
    attempts: list[Attempt],
    part: LatticePart,
    clock_ns: float,
    layers: tuple[str, ...],
    pins: Pins,
) -> Implementation:
    slowest = best.report.slowest
    return Implementation(
        stage="routed",
        tool=PROGRAMS[part.family].tool,
        part=part.name,
        clock_ns=clock_ns,
        design=dict(count_used(best.report.utilization)),
        available=part.device.resources,
        wns_ns=round(slowest[1].slack_ns, 3) if slowest is not None else None,
        met=best.is_met if slowest is not None else None,
        fmax_mhz=round(slowest[1].achieved, 2) if slowest is not None else None,
        clocks={name: round(clock.achieved, 2) for name, clock in best.report.clocks.items()},
        critical_path=find_critical_path(best.report, layers),
        seeds={str(attempt.seed): round(attempt.mhz, 2) for attempt in attempts if attempt.mhz is not None},
        pins=pins,
        differences=_DIFFERENCES[part.family],
        warnings=("out of context: no pins, so no bitstream",) if pins == "out-of-context" else (),
    )


@registry.entry(
    "pack",
    summary="pack a routed design to a bitstream, and unpack and pack it again as a check",
    parameters=PackParameters,
    inputs=(
        Input("routed_config", kind="file", help="from route"),
        Input("implementation", kind="file", help="from route: whether the clock is met", media_type=_JSON),
        *(
            Input(
                f"{netlist}_check",
                kind="file",
                required=False,
                help=f"from rtl-sim:check_{netlist}: nothing is packed before that has passed",
                media_type=_JSON,
            )
            for netlist in ("netlist", "routed")
        ),
        _TRANSLATED,
    ),
    outputs=(Output("bitstream", kind="file", media_type="application/x-fpga-bitstream"),),
    stage_in=("routed",),
    stage_out="bitstream",
    failure="synthesis",
)
def pack(step: Step[PackParameters]) -> None:
    """Pack. Raises StepFailure (timing) for a design that missed its clock, unless it is allowed."""
    part = find_part(step.params.part)
    result = read_implementation(step.required_input("implementation"))
    check_packable(result, part, step.params.allow_missed_timing)
    needed = PROGRAMS[part.family]
    programs = _programs(step, part, needed.pack, needed.unpack)
    folder = step.work / "pack"
    folder.mkdir()
    shutil.copyfile(step.required_input("routed_config"), folder / "design.config")
    step.progress("packing")
    packed = pack_twice(folder, part, translated=programs)
    shutil.copyfile(packed, step.output("bitstream"))
    size = packed.stat().st_size
    row = {"label": "bitstream", "value": f"{size / 1024:,.1f} KiB for {part.name}", "note": "the same when repacked"}
    rows = [row]
    if result.met is not True:
        rows.insert(0, {"label": "timing NOT met", "value": "packed all the same, as asked", "note": result.tool})
    step.record({"summary": rows})
