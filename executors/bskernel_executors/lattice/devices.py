"""Lattice's devices: what devices.toml says of them, and the parts that are sold. Pure, but for reading that file."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

import msgspec

# FINN knows no device of Lattice's: its cost functions, and choices by part, are those of this one.
PROXY_PART = "xczu7ev-ffvc1156-2-e"
Family: TypeAlias = Literal["ecp5", "ice40"]
_FORM = re.compile(
    r"(?P<device>LFE5\w*-\d+F|iCE40[A-Z]+\d+K)-(?P<speed>\d?)(?P<package>[A-Z]+\d+)(?P<grade>\w*)", re.IGNORECASE
)


class LatticeFamily(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A family: how its parts' names begin and end, what its block RAMs count as, and its packages."""

    title: str
    begins: str
    block_ram: Literal["BRAM_18K", "BRAM_4K"]
    example: str
    grade: str
    packages: dict[str, str]
    pins: dict[str, int] = {}


class LatticeDevice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device: LUT4 (as many flip-flops), block RAMs, multipliers, and in what it is sold."""

    family: Family
    nextpnr: str
    LUT: int
    BRAM: int
    DSP: int
    speeds: tuple[int, ...]
    packages: tuple[str, ...]

    @property
    def resources(self) -> dict[str, int]:
        """All resources by name."""
        block_ram = find_family(self.family).block_ram
        return {"LUT": self.LUT, "FF": self.LUT, "DSP": self.DSP, block_ram: self.BRAM}


class LatticePart(msgspec.Struct, frozen=True, kw_only=True):
    """A part: a device in a package, of a speed grade.

    `package` is nextpnr's name of it. `speed` is None where there is one only, `pins` where a design may have
    more of them.
    """

    name: str
    device_name: str
    device: LatticeDevice
    package: str
    speed: int | None
    pins: int | None

    @property
    def family(self) -> Family:
        """The family of its device."""
        return self.device.family


class _Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    family: dict[Family, LatticeFamily]
    device: dict[str, LatticeDevice]


@functools.cache
def _read() -> _Data:
    return msgspec.toml.decode(Path(__file__).with_name("devices.toml").read_bytes(), type=_Data)


def list_devices() -> dict[str, LatticeDevice]:
    """Return the devices by name, e.g. LFE5U-85F."""
    return dict(_read().device)


def find_family(family: Family) -> LatticeFamily:
    """Return what is known of a family."""
    return _read().family[family]


def _any_of(speeds: Iterable[int]) -> str:
    digits = "".join(map(str, speeds))
    return f"[{digits}]" if digits else ""


def _write_pattern() -> str:
    """A regular expression for every part of devices.toml, in small and capital letters."""
    parts = "|".join(
        f"{name}-{_any_of(device.speeds)}({'|'.join(device.packages)}){find_family(device.family).grade}"
        for name, device in _read().device.items()
    )
    return f"(?i:{parts})"


def _describe() -> str:
    """The families for people, with their devices and packages."""
    texts = []
    for key, family in _read().family.items():
        devices = ", ".join(name for name, device in _read().device.items() if device.family == key)
        texts.append(f"{family.title} ({devices}, in {', '.join(family.packages)})")
    return "Lattice's " + " or ".join(texts)


PATTERN, TITLE = _write_pattern(), _describe()
EXAMPLES = tuple(family.example for family in _read().family.values())
_LISTED = " or ".join(EXAMPLES)
LatticeName: TypeAlias = Annotated[
    str,
    msgspec.Meta(pattern=f"^{PATTERN}$", extra_json_schema={"title": f"part of {TITLE}", "examples": list(EXAMPLES)}),
]


def name_family(part: str) -> Family | None:
    """Return the family that a part's name begins like."""
    return next((key for key, family in _read().family.items() if part.upper().startswith(family.begins)), None)


def is_lattice(part: str) -> bool:
    """Return whether a part's name begins like one of these families."""
    return name_family(part) is not None


def find_part(part: str) -> LatticePart:
    """Find a part by Lattice's name, e.g. LFE5U-85F-6BG381C. Raises ValueError, which names the choices."""
    data, found = _read(), _FORM.fullmatch(part)
    if found is None:
        raise ValueError(f"{part!r} is no part of {TITLE}: write device, speed and package, e.g. {_LISTED}")
    name = next((name for name in data.device if name.upper() == found["device"].upper()), None)
    if name is None:
        raise ValueError(f"{part!r}: there is no device {found['device']}; devices: {', '.join(data.device)}")
    device, package = data.device[name], found["package"].upper()
    family = data.family[device.family]
    speeds = [str(speed) for speed in device.speeds]
    if found["speed"] not in (speeds or [""]):
        raise ValueError(
            f"{part!r}: {name} has {'the speeds ' + ', '.join(speeds) if speeds else 'one speed, unnamed'}"
        )
    if package not in device.packages:
        raise ValueError(f"{part!r}: {name} has the packages {', '.join(device.packages)}")
    if re.fullmatch(family.grade, found["grade"].upper()) is None:
        raise ValueError(
            f"{part!r}: no part of {family.title} ends with {found['grade']}; write e.g. {family.example}"
        )
    return LatticePart(
        name=name + part[len(name) :].upper(),
        device_name=name,
        device=device,
        package=family.packages[package],
        speed=int(found["speed"]) if found["speed"] else None,
        pins=family.pins.get(package),
    )


def part_for_finn(part: str | None) -> str | None:
    """Return the part that FINN computes with: a stand-in for one of Lattice's, else the part itself."""
    return PROXY_PART if part is not None and is_lattice(part) else part
