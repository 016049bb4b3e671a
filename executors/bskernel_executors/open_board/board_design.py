"""The files of a board's design: its top module, pins, and the size of its memories. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from fractions import Fraction

import msgspec

from bskernel_executors.exchange.design import Design
from bskernel_executors.lattice.boards import Board
from bskernel_executors.open_board.baud_rate import find_divisor
from bskernel_executors.open_board.pll import MHZ, Pll, find_pll, write_clock

TOP = "bskernel_board"
CONSTRAINTS = "board.lpf"
TEST_INPUTS, TEST_OUTPUTS = "mem/board_test_inputs.dat", "mem/board_test_outputs.dat"
_REQUEST_BYTES = 16 * 1024  # of the frames that a request may hold
_MOST_FRAMES = 64  # of a request
_PAUSE_MS = 100


class Wrapper(msgspec.Struct, frozen=True, kw_only=True):
    """All numbers of a board's wrapper."""

    board: str
    pll: Pll | None
    clock_hz: Fraction
    baud: int
    divisor: int
    frames: int  # most frames of a request
    pause: int  # cycles
    patience: int  # cycles
    test_frames: int


def count_frame_bytes(design: Design) -> tuple[int, int]:
    """Bytes of a frame at the design's input, and at its output."""
    return design.input.beats * design.input.width // 8, design.output.beats * design.output.width // 8


def count_test_frames(design: Design, frames: int, kib: int) -> int:
    """Frames of a self-test that fit into a memory of `kib` KiB, with what is expected of them."""
    bits = design.input.beats * design.input.width + design.output.beats * design.output.parallel * design.output.bits
    return min(frames, kib * 1024 * 8 // bits, 2**16 - 1)


def plan_wrapper(
    name: str, board: Board, design: Design, *, clock_ns: float, baud: int, patience: int, test_frames: int
) -> Wrapper:
    """Compute the wrapper's numbers. The clock is the fastest that is not faster than asked for.

    Raises ValueError for a clock or a rate that cannot be made.
    """
    # A period is a decimal number of somebody's choice, not what is left of it in binary.
    oscillator, asked = Fraction(str(board.clock.mhz)) * MHZ, 1000 * MHZ / Fraction(str(clock_ns))
    pll = None if oscillator == asked else find_pll(oscillator, asked)
    clock = pll.output_hz if pll else oscillator
    return Wrapper(
        board=name,
        pll=pll,
        clock_hz=clock,
        baud=baud,
        divisor=find_divisor(clock, baud),
        frames=max(1, min(_MOST_FRAMES, _REQUEST_BYTES // max(count_frame_bytes(design)))),
        pause=int(clock * _PAUSE_MS / 1000),
        patience=patience,
        test_frames=test_frames,
    )


def digest_design(wrapper: Wrapper, files: Mapping[str, bytes]) -> str:
    """Return 16 hexadecimal digits that another design, clock or set of test frames would not have."""
    found = hashlib.sha256(repr(wrapper).encode())
    for name, data in sorted(files.items()):
        found.update(f"\n{name} {len(data)} {hashlib.sha256(data).hexdigest()}".encode())
    return found.hexdigest()[:16]


def _is_pressed(board: Board) -> str:
    assert board.button is not None  # noqa: S101 - the caller looked
    return "button" if board.button.pressed else "!button"


def write_top(wrapper: Wrapper, board: Board, design: Design, identity: str) -> str:
    """Write the top module: scalar ports, named as in the constraints."""
    lamps = board.leds.pins if board.leds else ()
    ports = ["input wire oscillator", "input wire rx", "output wire tx"]
    ports += ["input wire button"] if board.button else []
    ports += [f"output wire led{at}" for at in range(len(lamps))]
    ports += [f"output wire high{at}" for at in range(len(board.high.pins if board.high else ()))]
    # The first tells all: lit when the self-test passed, blinking when it failed.
    shown = ("passed || failed && blink[BLINK-1]", "busy", "failed", "passed")
    lit = "" if board.leds is None or board.leds.lit else "!"
    dark = ("1'b0",) * len(lamps)
    lines = [f"\tassign led{at} = {lit}({what});" for at, what in enumerate((*shown, *dark)[: len(lamps)])]
    lines += [f"\tassign high{at} = 1'b1;" for at in range(len(board.high.pins if board.high else ()))]
    ready = f"locked && !({_is_pressed(board)})" if board.button else "locked"
    tests = ""
    if wrapper.test_frames:
        tests = f', .TEST_FRAMES({wrapper.test_frames}), .IN_FILE("{TEST_INPUTS}"), .OUT_FILE("{TEST_OUTPUTS}")'
    declared = ",\n\t".join(ports)
    assigned = "\n".join(lines)
    return f"""// {wrapper.board}: a stitched design behind a UART; made by bskernel.
module {TOP} (
	{declared}
);
	localparam int unsigned BLINK = 24;
	wire clk, locked, rst_n, busy, passed, failed;
	bsk_clock clock (.oscillator(oscillator), .clk(clk), .locked(locked));
	bsk_reset reset (.clk(clk), .ready({ready}), .rst_n(rst_n));

	reg [BLINK-1:0] blink = 0;
	always @(posedge clk) blink <= blink + 1'b1;
{assigned}

	wire design_rst_n, in_valid, in_ready, out_valid, out_ready;
	wire [{design.input.width - 1}:0] in_data;
	wire [{design.output.width - 1}:0] out_data;
	bsk_board #(
		.CLOCK_HZ({round(wrapper.clock_hz)}), .DIVISOR({wrapper.divisor}),
		.IN_WIDTH({design.input.width}), .OUT_WIDTH({design.output.width}),
		.OUT_BITS({design.output.parallel * design.output.bits}),
		.BEATS_IN({design.input.beats}), .BEATS_OUT({design.output.beats}), .FRAMES({wrapper.frames}),
		.IDENTITY(64'h{identity}), .PAUSE({wrapper.pause}), .PATIENCE({wrapper.patience}){tests}
	) board (
		.clk(clk), .rst_n(rst_n), .rx(rx), .tx(tx), .busy(busy), .passed(passed), .failed(failed),
		.design_rst_n(design_rst_n),
		.in_data(in_data), .in_valid(in_valid), .in_ready(in_ready),
		.out_data(out_data), .out_valid(out_valid), .out_ready(out_ready)
	);
	{design.top} network (
		.ap_clk(clk), .ap_rst_n(design_rst_n),
		.in0_V_TDATA(in_data), .in0_V_TVALID(in_valid), .in0_V_TREADY(in_ready),
		.out0_V_TDATA(out_data), .out0_V_TVALID(out_valid), .out0_V_TREADY(out_ready)
	);
endmodule
"""


def write_constraints(board: Board) -> str:
    """Write the pins for nextpnr-ecp5 (LPF)."""
    pins = [
        ("oscillator", board.clock.pin, board.clock.io, ""),
        ("rx", board.uart.rx, board.uart.io, " PULLMODE=UP"),
        ("tx", board.uart.tx, board.uart.io, ""),
    ]
    if board.button:
        pull = f" PULLMODE={board.button.pull}" if board.button.pull else ""
        pins.append(("button", board.button.pin, board.button.io, pull))
    if board.leds:
        pins += [(f"led{at}", pin, board.leds.io, "") for at, pin in enumerate(board.leds.pins)]
    if board.high:
        pins += [(f"high{at}", pin, board.high.io, "") for at, pin in enumerate(board.high.pins)]
    lines = [
        f'LOCATE COMP "{name}" SITE "{pin}";\nIOBUF PORT "{name}" IO_TYPE={io}{more};\n'
        for name, pin, io, more in pins
    ]
    return "".join(lines) + f'FREQUENCY PORT "oscillator" {board.clock.mhz:g} MHZ;\n'


def make_board_design(
    wrapper: Wrapper, board: Board, design: Design, files: Mapping[str, bytes], hdl: Mapping[str, bytes]
) -> tuple[Design, dict[str, bytes], str]:
    """Return the board's design, its files by path, and its identity.

    `files` are those of the stitched design with the memories of a self-test, `hdl` the modules of the folder hdl.
    """
    own = {f"board/{name}": data for name, data in hdl.items()}
    own["board/bsk_clock.sv"] = write_clock(wrapper.pll).encode()
    identity = digest_design(wrapper, {**files, **own})
    own[f"board/{TOP}.sv"] = write_top(wrapper, board, design, identity).encode()
    own[CONSTRAINTS] = write_constraints(board).encode()
    sources = (*design.sources, *sorted(name for name in own if name.endswith(".sv")))
    top = msgspec.structs.replace(design, top=TOP, sources=sources)
    return top, {**files, **own}, identity
