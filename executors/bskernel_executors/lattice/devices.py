"""ECP5 devices: what devices.toml says of them, and the parts that Lattice sells. Pure, but for reading that file."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import msgspec

# FINN knows no device of Lattice's: its cost functions, and choices by part, are those of this one.
PROXY_PART = "xczu7ev-ffvc1156-2-e"
PATTERN = r"[lL][fF][eE]5[a-zA-Z0-9]*-[0-9]+[fF]-[0-9]+[a-zA-Z]+[0-9]+[a-zA-Z]?"
EXAMPLE = "LFE5U-85F-6BG381C"
_FORM = re.compile(r"(?P<device>LFE5\w*-\d+F)-(?P<speed>\d)(?P<package>[A-Z]+\d+)(?P<grade>[CI]?)")


class Ecp5(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A device: LUT4 (as many flip-flops), block RAMs of 18 Kb, 18x18 multipliers, and in what it is sold."""

    nextpnr: str
    LUT: int
    BRAM: int
    DSP: int
    speeds: tuple[int, ...]
    packages: tuple[str, ...]


class Ecp5Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part: a device in a package, of a speed grade. `package` is nextpnr's name of it."""

    name: str
    device_name: str
    device: Ecp5
    package: str
    speed: int


class _Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    packages: dict[str, str]
    device: dict[str, Ecp5]


@functools.cache
def _read() -> _Data:
    return msgspec.toml.decode(Path(__file__).with_name("devices.toml").read_bytes(), type=_Data)


def list_devices() -> dict[str, Ecp5]:
    """Return the devices by name, e.g. LFE5U-85F."""
    return dict(_read().device)


def is_ecp5(part: str) -> bool:
    """Return whether a part's name begins like one of this family."""
    return part.upper().startswith("LFE5")


def find_part(part: str) -> Ecp5Part:
    """Find a part by Lattice's name, e.g. LFE5U-85F-6BG381C. Raises ValueError, which names the choices."""
    data, found = _read(), _FORM.fullmatch(part.upper())
    if found is None:
        raise ValueError(f"{part!r} is no part of Lattice's ECP5: write device, speed and package, e.g. {EXAMPLE}")
    name = found["device"]
    device = data.device.get(name)
    if device is None:
        raise ValueError(f"{part!r}: there is no device {name}; devices: {', '.join(data.device)}")
    if int(found["speed"]) not in device.speeds:
        raise ValueError(f"{part!r}: {name} has the speeds {', '.join(map(str, device.speeds))}")
    if found["package"] not in device.packages:
        raise ValueError(f"{part!r}: {name} has the packages {', '.join(device.packages)}")
    return Ecp5Part(
        name=part.upper(),
        device_name=name,
        device=device,
        package=data.packages[found["package"]],
        speed=int(found["speed"]),
    )


def part_for_finn(part: str | None) -> str | None:
    """Return the part that FINN computes with: a stand-in for one of Lattice's, else the part itself."""
    return PROXY_PART if part is not None and is_ecp5(part) else part
