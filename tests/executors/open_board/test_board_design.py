"""A board's design: pins, memories and identity follow from the board and the network."""

import re
from fractions import Fraction

import msgspec
import pytest
from bskernel_executors.exchange.design import Design, StreamFormat
from bskernel_executors.lattice.boards import Board, read_boards
from bskernel_executors.open_board.board_design import (
    CONSTRAINTS,
    TOP,
    Wrapper,
    count_test_frames,
    make_board_design,
    plan_wrapper,
)
from hypothesis import given
from hypothesis import strategies as st

BOARDS = read_boards()


def stream(beats: int, parallel: int, bits: int) -> StreamFormat:
    return StreamFormat(
        width=-(-parallel * bits // 8) * 8, beats=beats, parallel=parallel, bits=bits, signed=True,
        datatype=f"INT{bits}", shape=(1, beats * parallel),
    )  # fmt: skip


def design(into: StreamFormat, out: StreamFormat) -> Design:
    return Design(sources=("top.sv",), input=into, output=out, layers=(), fifos=(), streams=(), estimated_cycles=100)


SMALL = design(stream(32, 2, 4), stream(10, 1, 16))
FILES = {"top.sv": b"module bskernel_top; endmodule"}


def plan(name: str = "ULX3S-85F", clock_ns: float = 10.0, test_frames: int = 0, made: Design = SMALL) -> Wrapper:
    board = BOARDS[name]
    return plan_wrapper(name, board, made, clock_ns=clock_ns, baud=1_000_000, patience=1000, test_frames=test_frames)


def make(name: str, wrapper: Wrapper, files: dict[str, bytes] = FILES) -> tuple[str, str, str]:
    """The top module, the constraints and the identity."""
    _, made, identity = make_board_design(wrapper, BOARDS[name], SMALL, files, {"bsk_board.sv": b"// board"})
    return made[f"board/{TOP}.sv"].decode(), made[CONSTRAINTS].decode(), identity


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_every_port_of_the_top_module_has_its_pin(name: str) -> None:
    top, constraints, _ = make(name, plan(name))
    ports = re.findall(r"^\t(?:in|out)put wire (\w+)", top, re.MULTILINE)
    located = re.findall(r'LOCATE COMP "(\w+)" SITE "(\w+)"', constraints)
    assert located
    assert {port for port, _ in located} == set(ports)
    pins = [pin for _, pin in located]
    assert len(set(pins)) == len(pins)
    assert set(re.findall(r'IOBUF PORT "(\w+)" IO_TYPE=\w+', constraints)) == set(ports)
    assert f'FREQUENCY PORT "oscillator" {BOARDS[name].clock.mhz:g} MHZ;' in constraints


def test_the_clock_is_not_faster_than_the_target_s_and_without_a_pll_if_it_is_the_oscillator_s() -> None:
    assert plan(clock_ns=40.0).pll is None
    assert plan(clock_ns=10.0).clock_hz == 100_000_000
    assert plan(clock_ns=6.67).clock_hz == Fraction(137_500_000)


def test_another_design_clock_or_self_test_has_another_identity() -> None:
    one = make("ULX3S-85F", plan())[2]
    assert re.fullmatch("[0-9a-f]{16}", one)
    others = [
        make("ULX3S-85F", plan(clock_ns=20.0))[2],
        make("ULX3S-85F", plan(test_frames=2))[2],
        make("ULX3S-85F", plan(), {"top.sv": b"module bskernel_top ; endmodule"})[2],
        make("ULX3S-85F", plan(), {**FILES, "mem/weights.dat": b"0"})[2],
    ]
    assert len({one, *others}) == 5
    assert make("ULX3S-85F", plan())[2] == one


@given(st.integers(1, 400), st.integers(1, 16), st.integers(1, 16), st.integers(1, 500), st.integers(1, 64))
def test_a_self_test_has_the_most_frames_that_fit(
    beats: int, parallel: int, bits: int, frames: int, kib: int
) -> None:
    made = design(stream(beats, parallel, bits), stream(1, 1, bits))
    count = count_test_frames(made, frames, kib)
    frame = beats * made.input.width + bits
    assert count <= frames
    assert count * frame <= kib * 8192
    assert count == frames or (count + 1) * frame > kib * 8192


def test_a_request_holds_one_frame_of_any_size_and_several_small_ones() -> None:
    large = design(stream(50_000, 4, 8), stream(1, 1, 8))
    assert plan(made=large).frames == 1
    assert plan().frames == 64


def test_a_board_without_leds_or_button_has_no_such_ports() -> None:
    board: Board = msgspec.structs.replace(BOARDS["ULX3S-85F"], leds=None, button=None, high=None)
    made = make_board_design(plan(), board, SMALL, FILES, {})[1][f"board/{TOP}.sv"].decode()
    assert re.findall(r"^\t(?:in|out)put wire (\w+)", made, re.MULTILINE) == ["oscillator", "rx", "tx"]
