"""Families of devices: what a budget may name, what it is by default, and which samples tell what layers cost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeAlias

import msgspec

from bskernel_executors.lattice.devices import find_part, name_family

CostFamily: TypeAlias = Literal["amd", "ecp5", "ice40"]
PINS = "pins"
# Above this, nextpnr-route:route places no pins of an ECP5, and there is no bitstream.
_FREE_PINS = 90


class FamilyBudget(msgspec.Struct, frozen=True, kw_only=True):
    """Shares of the device, or counts above 1, that a folding may use, and what has a budget only if one is given.

    `packed`: LUT counts what nextpnr packs, which are logic cells with a flip-flop each on an iCE40.
    """

    defaults: Mapping[str, float]
    optional: tuple[str, ...]
    why: str = ""  # what a budget may not name, for people


FAMILIES: Mapping[CostFamily, FamilyBudget] = {
    "amd": FamilyBudget(defaults={"LUT": 0.7, "DSP": 0.9, "BRAM_18K": 0.9, "URAM": 0.9}, optional=("FF",)),
    "ecp5": FamilyBudget(
        defaults={"LUT": 0.7, "DSP": 0.9, "BRAM_18K": 0.9, PINS: _FREE_PINS},
        optional=("FF",),
    ),
    "ice40": FamilyBudget(
        defaults={"LUT": 0.7, "DSP": 1.0, "BRAM_4K": 1.0, PINS: 1.0},
        optional=(),
        why="LUT counts logic cells, with the flip-flops in them",
    ),
}
_NO_PINS_KNOWN = 1000.0  # of an ECP5's packages; route takes none at all above _FREE_PINS


def find_cost_family(part: str) -> CostFamily:
    """Find the family whose costs a part has."""
    return name_family(part) or "amd"


def find_samples(family: CostFamily) -> Path:
    """The samples that are shipped for a family."""
    return Path(__file__).with_name("samples.json" if family == "amd" else f"samples_{family}.json")


def find_lattice_totals(part: str) -> dict[str, float]:
    """What a part of Lattice's has of each resource that a folding can have a budget of.

    Raises ValueError for a wrong part, with the choices.
    """
    found = find_part(part)
    totals, budget = {**found.device.resources, PINS: found.pins or _NO_PINS_KNOWN}, FAMILIES[found.family]
    return {name: float(totals[name]) for name in (*budget.defaults, *budget.optional)}


def find_budget(part: str, totals: Mapping[str, float], asked: Mapping[str, float]) -> dict[str, float]:
    """The most that may be used of each resource: what is asked for, else the default of the part's family.

    Raises ValueError for a resource that the part does not have, with the choices and the defaults that apply.
    """
    family = FAMILIES[find_cost_family(part)]
    unknown = [name for name in asked if name not in totals]
    if unknown:
        why = f" ({family.why})" if family.why else ""
        raise ValueError(
            f"target.budget: {part} has no {', '.join(unknown)}; it has {', '.join(totals)}{why}."
            f" Without a budget: {describe_defaults(part)}"
        )
    shares = {**family.defaults, **asked}
    ordered = [name for name in totals if name in shares]
    return {
        name: shares[name] * totals[name] if shares[name] <= 1 else min(shares[name], totals[name])
        for name in ordered
    }


def describe_defaults(part: str, but: Mapping[str, float] = {}) -> str:
    """The budget of what is not in `but`, for people."""
    defaults = FAMILIES[find_cost_family(part)].defaults
    return ", ".join(f"{name} {share:g}" for name, share in defaults.items() if name not in but)
