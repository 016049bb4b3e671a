"""Boards with an ECP5 and their pins, as boards.toml lists them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Literal

import msgspec

_Level = Literal[0, 1]


class Oscillator(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The oscillator: its pin, frequency in MHz, and I/O standard."""

    pin: str
    mhz: float
    io: str


class Uart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A UART: the FPGA reads `rx` and drives `tx`."""

    rx: str
    tx: str
    io: str


class Leds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """LEDs, and the level at which they are lit."""

    pins: tuple[str, ...]
    io: str
    lit: _Level


class Button(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A button, the level at which it is pressed, and the pull of the pin that it needs."""

    pin: str
    io: str
    pressed: _Level
    pull: Literal["UP", "DOWN"] | None = None


class HighPins(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pins that a design must drive high."""

    pins: tuple[str, ...]
    io: str


class Board(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A board: its part, and what a design can use of it."""

    part: str
    clock: Oscillator
    uart: Uart
    leds: Leds | None = None
    button: Button | None = None
    high: HighPins | None = None
    note: str = ""


class _Like(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A board with the pins of another one."""

    part: str
    like: str


@functools.cache
def read_boards() -> dict[str, Board]:
    """Return all boards by name."""
    data = msgspec.toml.decode(Path(__file__).with_name("boards.toml").read_bytes())["board"]
    own = {name: msgspec.convert(table, Board) for name, table in data.items() if "like" not in table}
    same = {name: msgspec.convert(table, _Like) for name, table in data.items() if name not in own}
    return {
        name: own[name] if name in own else msgspec.structs.replace(own[same[name].like], part=same[name].part)
        for name in data
    }


def list_board_parts() -> dict[str, str]:
    """Return the boards with their parts."""
    return {name: board.part for name, board in read_boards().items()}
