"""The first frames of a simulation as a waveform of layers and streams, in place of the design's wires.

Verilator writes the wires of the top module, twice per cycle. Here each cycle becomes one time step, each stream gets
the names of its layers, and its data become numbers. The format is the VCD of IEEE 1364-2005, section 18.2.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from bskernel_executors.exchange.design import Design, StreamFormat

VCD, SAVE_FILE = "streams.vcd", "streams.gtkw"
CYCLE_NS = 10  # of the waveform: a round number, not the design's clock
MOST_CYCLES = 100_000  # that are written
_MOST_VALUES = 16  # of a beat that are shown one by one; more are shown as one word
_FIRST, _PER_CYCLE = 32, 2  # time steps of the driver before the first cycle, and per cycle
_ASSIGNED = re.compile(r"assign stream_valid\[(\d+)\] = (\w+)_tvalid")
_VARIABLE = re.compile(r"\$var \w+ +\d+ (\S+) (\S+)(?: \[[^]]*\])? \$end")
# Valid and ready of a stream -> whether it moves, is stalled (nobody takes the value), is starved (none is there).
_STATES = {("1", "1"): "100", ("1", "0"): "010", ("0", "1"): "001", ("0", "0"): "000"}
_LOWER = 33  # "!", the first character of an identifier
_CHARACTERS = 94


@dataclass(frozen=True, kw_only=True)
class ShownStream:
    """A stream in the waveform: the wires that carry it, and where it is shown, as paths of scopes."""

    wires: tuple[str, str, str]  # data, valid, ready
    format: StreamFormat
    places: tuple[tuple[str, ...], ...]


@dataclass(kw_only=True)
class _Signal:
    """A signal of the waveform. One that is shown at several places is written once."""

    kind: str  # of VCD: "wire", "integer" or "reg"
    width: int
    name: str
    code: str
    value: str = ""  # that was written last


@dataclass(kw_only=True)
class _StreamSignals:
    shown: ShownStream
    valid: _Signal
    ready: _Signal
    moves: _Signal
    stalled: _Signal
    starved: _Signal
    frame: _Signal
    beat: _Signal
    values: list[_Signal]
    moved: int = 0  # beats

    @property
    def all(self) -> list[_Signal]:
        flags = [self.valid, self.ready, self.moves, self.stalled, self.starved]
        return [*flags, self.frame, self.beat, *self.values]


def find_streams(rtl: Path, design: Design) -> list[ShownStream]:
    """The streams of a design with their wires; of a netlist its input and output.

    A stream between two layers is shown at both: as in0, in1, ... of its sink and as out0, out1, ... of its source.
    """
    outside = [
        ShownStream(wires=_pins("in0_V"), format=design.input, places=(("input",),)),
        ShownStream(wires=_pins("out0_V"), format=design.output, places=(("output",),)),
    ]
    if not design.streams:
        return outside
    signals: dict[int, str] = {}
    for source in design.sources:
        if source.endswith((".sv", ".v")):
            text = (rtl / source).read_text(encoding="utf-8", errors="replace")
            signals |= {int(at): signal for at, signal in _ASSIGNED.findall(text)}
    counts: dict[tuple[str, str], int] = {}

    def place(layer: str | None, side: str, alone: str) -> tuple[str, ...]:
        if layer is None:
            return (alone,)
        number = counts.get((layer, side), 0)
        counts[layer, side] = number + 1
        return ("layers", layer, f"{side}{number}")

    streams = []
    for at, stream in enumerate(design.streams):
        wires = tuple(f"{signals[at]}_{suffix}" for suffix in ("tdata", "tvalid", "tready"))
        places = (place(stream.source, "out", "input"), place(stream.sink, "in", "output"))
        streams.append(ShownStream(wires=(wires[0], wires[1], wires[2]), format=stream.format, places=places))
    return streams


def _pins(name: str) -> tuple[str, str, str]:
    return f"{name}_TDATA", f"{name}_TVALID", f"{name}_TREADY"


def write_waves(raw: Path, rtl: Path, design: Design, folder: Path) -> int:
    """Write VCD and SAVE_FILE to `folder` from Verilator's VCD of the design in `rtl`; returns the cycles in it."""
    folder.mkdir()
    waves = _Waves(find_streams(rtl, design), design)
    with raw.open(encoding="ascii", errors="replace") as source, (folder / VCD).open("w", encoding="ascii") as out:
        cycles = waves.convert(source, out)
    (folder / SAVE_FILE).write_text(waves.save_file(), encoding="ascii")
    return cycles


class _Waves:
    """Turns the wires of each cycle into the signals of the waveform."""

    def __init__(self, streams: Sequence[ShownStream], design: Design) -> None:
        self._count = 0
        self._clock = self._new("wire", 1, "clock")
        self._cycle = self._new("integer", 32, "cycle")
        self._streams = [self._stream(stream) for stream in streams]
        self._fills = {f"{fifo.name}_count": (fifo.name, self._new("integer", 32, "fill")) for fifo in design.fifos}
        if not design.streams:
            self._fills = {}
        self._layers = design.layers if design.streams else ()

    def _new(self, kind: str, width: int, name: str) -> _Signal:
        self._count += 1
        return _Signal(kind=kind, width=width, name=name, code=_code(self._count - 1))

    def _stream(self, stream: ShownStream) -> _StreamSignals:
        form = stream.format
        if form.parallel <= _MOST_VALUES and form.bits <= 32:
            name = "value" if form.parallel == 1 else "value_{}"
            values = [self._new("integer", 32, name.format(at)) for at in range(form.parallel)]
        else:
            values = [self._new("reg", form.width, "data")]
        return _StreamSignals(
            shown=stream,
            valid=self._new("wire", 1, "valid"),
            ready=self._new("wire", 1, "ready"),
            moves=self._new("wire", 1, "moves"),
            stalled=self._new("wire", 1, "stalled"),
            starved=self._new("wire", 1, "starved"),
            frame=self._new("integer", 32, "frame"),
            beat=self._new("integer", 32, "beat"),
            values=values,
        )

    def convert(self, source: TextIO, out: TextIO) -> int:
        """Write the waveform of Verilator's VCD; returns the number of cycles."""
        codes = _read_header(source)
        wanted = {wire for stream in self._streams for wire in stream.shown.wires} | set(self._fills)
        out.write(self.header())
        cycle = -1
        named = {name: codes[name] for name in wanted if name in codes}
        for cycle, values in enumerate(_read_cycles(source, frozenset(named.values()))):
            lines = self._changes(cycle, {name: values[code] for name, code in named.items() if code in values})
            start = CYCLE_NS * cycle
            out.write(
                f"#{start}\n1{self._clock.code}\n{''.join(lines)}#{start + CYCLE_NS // 2}\n0{self._clock.code}\n"
            )
        out.write(f"#{CYCLE_NS * (cycle + 1)}\n")
        return cycle + 1

    def header(self) -> str:
        """The declarations: scopes as in the network, each stream at its source and at its sink."""
        lines = ["$version bskernel $end", "$timescale 1 ns $end", "$scope module accelerator $end"]
        lines += [_declare(self._clock), _declare(self._cycle)]
        for name in ("input", "output"):
            lines += self._scope((name,))
        lines.append("$scope module layers $end")
        for layer in self._layers:
            lines.append(f"$scope module {layer} $end")
            lines += [_declare(fill) for name, fill in self._fills.values() if name == layer]
            for side in ("in", "out"):
                for number in range(len(self._streams)):
                    lines += self._scope(("layers", layer, f"{side}{number}"))
            lines.append("$upscope $end")
        return "\n".join([*lines, "$upscope $end", "$upscope $end", "$enddefinitions $end", ""])

    def _scope(self, place: tuple[str, ...]) -> list[str]:
        stream = next((stream for stream in self._streams if place in stream.shown.places), None)
        if stream is None:
            return []
        return [f"$scope module {place[-1]} $end", *map(_declare, stream.all), "$upscope $end"]

    def _changes(self, cycle: int, wires: Mapping[str, str]) -> Iterator[str]:
        yield from _set(self._cycle, format(cycle, "b"))
        for wire, (_, fill) in self._fills.items():
            yield from _set(fill, wires.get(wire, "x"))
        for stream in self._streams:
            data, valid, ready = (wires.get(wire, "x") for wire in stream.shown.wires)
            form = stream.shown.format
            states = (valid, ready, *_STATES.get((valid, ready), "xxx"))
            flags = (stream.valid, stream.ready, stream.moves, stream.stalled, stream.starved)
            for signal, state in zip(flags, states, strict=True):
                yield from _set(signal, state)
            yield from _set(stream.frame, format(stream.moved // form.beats, "b"))
            yield from _set(stream.beat, format(stream.moved % form.beats, "b"))
            for signal, value in zip(stream.values, _values(data, valid, form, len(stream.values)), strict=True):
                yield from _set(signal, value)
            stream.moved += stream.moves.value == "1"

    def save_file(self) -> str:
        """What GTKWave shows of the waveform at first: its input, the streams in order, its output."""
        lines = [f'[dumpfile] "{VCD}"', "[timestart] 0", "[size] 1400 900", *_trace("accelerator.cycle", 32)]
        for stream in sorted(self._streams, key=lambda one: one.shown.places[0] != ("input",)):
            path = ".".join(("accelerator", *stream.shown.places[0]))
            title = " -> ".join(_title(place) for place in stream.shown.places) if self._layers else path
            lines += ["@200", f"-{title}"]
            for signal in (stream.moves, stream.stalled, stream.starved, stream.frame, stream.beat, *stream.values):
                lines += _trace(f"{path}.{signal.name}", signal.width, number=signal.kind == "integer")
        return "\n".join([*lines, ""])


def _title(place: tuple[str, ...]) -> str:
    return place[1] if len(place) == 3 else place[0]


def _trace(path: str, width: int, *, number: bool = True) -> list[str]:
    """A line of a save file with its flags: right-justified, and as a signed decimal, a bit, or hexadecimal."""
    if width == 1:
        return ["@28", path]
    return ["@420" if number else "@22", f"{path}[{width - 1}:0]"]


def _declare(signal: _Signal) -> str:
    bits = f" [{signal.width - 1}:0]" if signal.width > 1 else ""
    return f"$var {signal.kind} {signal.width} {signal.code} {signal.name}{bits} $end"


def _set(signal: _Signal, value: str) -> Iterator[str]:
    """The line of a change; none if the signal has that value."""
    if value == signal.value:
        return
    signal.value = value
    # A word whose first bit is 0 is filled up with zeros by its reader.
    yield f"{value}{signal.code}\n" if signal.width == 1 else f"b{value.lstrip('0') or '0'} {signal.code}\n"


def _values(data: str, valid: str, form: StreamFormat, count: int) -> list[str]:
    """The values of a beat as 32 bits each, or the whole beat as one; unknown where no beat is offered."""
    if valid != "1" or set(data) - {"0", "1"}:
        return ["x"] * count
    bits = data.zfill(form.width)
    if count != form.parallel or form.bits > 32:
        return [bits]
    found = []
    for at in range(form.parallel):
        value = bits[len(bits) - form.bits * (at + 1) : len(bits) - form.bits * at]
        found.append(value.rjust(32, value[0] if form.signed else "0"))
    return found


def _code(number: int) -> str:
    """An identifier of VCD: printable characters, the shortest first."""
    code = ""
    while True:
        number, rest = divmod(number, _CHARACTERS)
        code += chr(_LOWER + rest)
        if not number:
            return code
        number -= 1


def _read_header(source: TextIO) -> dict[str, str]:
    """The identifiers of the top module's wires, by name."""
    codes: dict[str, str] = {}
    for line in source:
        if "$enddefinitions" in line:
            break
        if match := _VARIABLE.search(line):
            codes.setdefault(match[2], match[1])
    return codes


def _read_cycles(source: TextIO, codes: frozenset[str]) -> Iterator[dict[str, str]]:
    """The values of the wires with these identifiers in each cycle, before its rising edge."""
    values: dict[str, str] = {}
    time = -1
    for line in source:
        if line.startswith("#"):
            if _is_cycle(time):
                yield values
            time = int(line[1:])
        elif line[0] in "01xzXZ":
            if (code := line[1:].strip()) in codes:
                values[code] = line[0].lower()
        elif line[0] in "bB":
            value, _, code = line[1:].strip().partition(" ")
            if code in codes:
                values[code] = value.lower()
    if _is_cycle(time):
        yield values


def _is_cycle(time: int) -> bool:
    return time >= _FIRST and (time - _FIRST) % _PER_CYCLE == 0
