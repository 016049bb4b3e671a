"""The entries `wrap_board` and `compile_board`: a design with a board around it, and that board simulated."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from bskernel_protocol import pretty_json
from numpy.typing import NDArray

from bskernel_executors import open_board
from bskernel_executors.exchange.board import BOARD, EXPECTED, FRAMES, BoardFacts, Rule, read_board_facts
from bskernel_executors.exchange.design import DESIGN, Design, StreamFormat, read_design
from bskernel_executors.exchange.file_tree import read_files, write_files
from bskernel_executors.lattice.boards import Board, read_boards
from bskernel_executors.open_board.board_design import (
    CONSTRAINTS,
    TEST_INPUTS,
    TEST_OUTPUTS,
    Wrapper,
    count_test_frames,
    make_board_design,
    plan_wrapper,
)
from bskernel_executors.open_board.pll import MHZ
from bskernel_executors.rtl_sim.beats import pack
from bskernel_executors.rtl_sim.compiler import compile_board
from bskernel_executors.rtl_sim.reference import read_reference
from bskernel_executors.rtl_sim.simulator import count_outer_patience
from bskernel_executors.sdk import Input, Output, Registry, Step, StepFailure, parameter

_HDL = Path(open_board.__file__).with_name("hdl")


# A board without a wrapper is refused before the first step.
_BoardName = Annotated[str, msgspec.Meta(pattern=f"^({'|'.join(map(re.escape, read_boards()))})$")]


class WrapParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `wrap_board`."""

    board: Annotated[
        _BoardName, parameter(f"board with an ECP5: {', '.join(read_boards())}", default_from="target.board")
    ]
    clock_ns: Annotated[
        float, parameter("clock period; the PLL's clock is not faster", unit="ns", default_from="target.clock_ns")
    ]
    baud: Annotated[int, parameter("rate of the UART", unit="baud")] = 1_000_000
    self_test: Annotated[bool, parameter("put frames and expected outputs into the bitstream's block RAM")] = False
    self_test_kib: Annotated[int, parameter("memory for the frames of the self-test", unit="KiB")] = 32

    def __post_init__(self) -> None:
        if self.self_test_kib < 1:
            raise ValueError(f"self_test_kib is {self.self_test_kib}, but a self-test needs at least 1")


class CompileBoardParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `compile_board`."""

    jobs: Annotated[int, parameter("number of parallel compilers")] = 2


def _find_board(name: str) -> Board:
    boards = read_boards()
    if name not in boards:
        raise StepFailure(
            category="config",
            message=f"there is no wrapper for board {name!r}",
            hint=f"set target.board to one of {', '.join(boards)}; or leave out wrap_board",
        )
    return boards[name]


def write_memory(values: NDArray[np.int64], stream: StreamFormat, bits: int) -> bytes:
    """Write frames of shape (N, values) as words of `bits` bits for $readmemh, a beat on each line."""
    digits = -(-bits // 4)
    return "".join(
        f"{int.from_bytes(beat, 'little'):0{digits}x}\n" for beat in map(bytes, pack(values, stream))
    ).encode()


def _find_rule(
    reference: Path, outputs: NDArray[np.int64]
) -> tuple[Rule, tuple[int, ...] | None, tuple[int, ...] | None]:
    """How predictions follow from outputs, the predictions, and the labels."""
    paths = [reference / f"{name}.npy" for name in ("predictions", "labels")]
    if not all(path.exists() for path in paths):
        return "tail", None, None
    predictions, labels = (np.load(path, allow_pickle=False) for path in paths)
    rules: dict[Rule, NDArray[np.int64]] = {"largest": outputs.argmax(axis=1), "first": outputs[:, 0]}
    rule: Rule = next((name for name, found in rules.items() if (found == predictions).all()), "tail")
    return rule, tuple(map(int, predictions)), tuple(map(int, labels))


def _plan(step: Step[WrapParameters], board: Board, design: Design, frames: int) -> Wrapper:
    params = step.params
    count = count_test_frames(design, frames, params.self_test_kib) if params.self_test else 0
    if params.self_test and not count:
        raise StepFailure(
            category="config",
            message=f"a frame of the self-test does not fit into {params.self_test_kib} KiB",
            hint="set a larger self_test_kib, or self_test = false",
        )
    try:
        return plan_wrapper(
            params.board,
            board,
            design,
            clock_ns=params.clock_ns,
            baud=params.baud,
            patience=count_outer_patience(design),
            test_frames=count,
        )
    except ValueError as error:
        raise StepFailure(
            category="config", message=str(error), hint="set another target.clock_ns, or baud of wrap_board"
        ) from error


def wrap(step: Step[WrapParameters]) -> None:
    """Write the board's design, and what a host needs."""
    rtl, reference = step.required_input("rtl"), step.required_input("reference")
    design, board = read_design(rtl), _find_board(step.params.board)
    frames, expected = read_reference(reference, design)
    wrapper = _plan(step, board, design, len(frames))
    files = {name: data for name, data in read_files(rtl).items() if name != DESIGN}
    if tests := wrapper.test_frames:
        files[TEST_INPUTS] = write_memory(frames[:tests], design.input, design.input.width)
        bits = design.output.parallel * design.output.bits
        files[TEST_OUTPUTS] = write_memory(expected[:tests], design.output, bits)
    hdl = {path.name: path.read_bytes() for path in sorted(_HDL.iterdir())}
    top, made, identity = make_board_design(wrapper, board, design, files, hdl)
    write_files(step.output("board_rtl"), {**made, DESIGN: pretty_json(top).encode()})
    step.output("pin_constraints").write_bytes(made[CONSTRAINTS])
    rule, predictions, labels = _find_rule(reference, expected)
    facts = BoardFacts(
        board=wrapper.board,
        part=board.part,
        identity=identity,
        clock_hz=round(wrapper.clock_hz),
        oscillator_hz=round(board.clock.mhz * MHZ),
        baud=wrapper.baud,
        divisor=wrapper.divisor,
        frames_per_request=wrapper.frames,
        test_frames=wrapper.test_frames,
        input=design.input,
        output=design.output,
        frames=len(frames),
        rule=rule,
        predictions=predictions,
        labels=labels,
    )
    packed = {FRAMES: pack(frames, design.input).tobytes(), EXPECTED: pack(expected, design.output).tobytes()}
    write_files(step.output("board"), {**packed, BOARD: pretty_json(facts).encode()})
    rows = [
        {
            "label": "board",
            "value": f"{wrapper.board} at {float(wrapper.clock_hz / MHZ):g} MHz, UART of {wrapper.baud:,} baud",
            "note": step.name,
        }
    ]
    if step.params.self_test:
        rows.append(
            {"label": "self-test", "value": f"{tests} of {len(frames)} frames in block RAM", "note": step.name}
        )
    step.record({"summary": rows, "identity": identity})


def compile_simulated(step: Step[CompileBoardParameters]) -> None:
    """Compile the board, its UART behind a pseudo-terminal."""
    source, facts = step.required_input("board_rtl"), read_board_facts(step.required_input("board"))
    board = _find_board(facts.board)
    macros = [f"DIVISOR={facts.divisor}"]
    macros += [f"PRESSED={board.button.pressed}"] if board.button else []
    macros += [f"LIT={board.leds.lit}"] if board.leds else []
    step.progress("compiling")
    size = compile_board(
        source,
        read_design(source),
        macros,
        step.work / "rtl",
        step.output("board_simulator"),
        jobs=step.params.jobs,
        library=step.input("simulator_library"),
    )
    step.record({"bytes": size})


def declare_board(registry: Registry) -> None:
    """Declare both entries."""
    rtl = Input("rtl", kind="tree", help="stitched design")
    registry.entry(
        "wrap_board",
        summary="a stitched design behind a board's UART, with clock, pins, self-test, and what a host needs",
        parameters=WrapParameters,
        inputs=(rtl, Input("reference", kind="tree", help="frames, and what Python computes from them")),
        outputs=(
            Output("board_rtl", kind="tree", help="the board's design"),
            Output("board", kind="tree", help="what `bskernel board run` takes"),
            Output("pin_constraints", kind="file", media_type="text/plain", help="the board's pins and clock (LPF)"),
        ),
        stage_in=("rtl",),
    )(wrap)
    registry.entry(
        "compile_board",
        summary="compile a board's design to a simulated board, whose UART is a pseudo-terminal",
        parameters=CompileBoardParameters,
        inputs=(
            Input("board_rtl", kind="tree", help="from wrap_board, or its netlist"),
            Input("board", kind="tree", help="from wrap_board"),
            Input(
                "simulator_library", kind="tree", required=False, help="from compile_library; made here without it"
            ),
        ),
        outputs=(Output("board_simulator", kind="tree", help="the folder of the program `board`"),),
        failure="verification",
    )(compile_simulated)
