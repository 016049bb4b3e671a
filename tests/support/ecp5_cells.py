"""ECP5 cells as Lattice documents them, in Python, and a bench that drives our models of them with the same bits.

A cell is a text of Verilog that takes `s`, a vector of stimuli, and gives `q`; its reference takes the stimuli of a
cycle and returns what the cell gives before the clock's edge.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

Bits = Sequence[int]
Reference = Callable[[Bits], list[int]]


@dataclass(frozen=True)
class Cell:
    """One cell of the bench: `text` may name {s} and {q}; `make` makes a reference in its first state."""

    name: str
    stimuli: int
    outputs: int
    text: str
    make: Callable[[], Reference]


def number(bits: Bits) -> int:
    """The number whose lowest bit is the first."""
    return sum(bit << at for at, bit in enumerate(bits))


def bits_of(value: int, count: int) -> list[int]:
    return [value >> at & 1 for at in range(count)]


def stateless(function: Reference) -> Callable[[], Reference]:
    return lambda: function


def lut(init: int, prefix: str = "") -> Cell:
    text = f"{prefix}LUT4 #(.INIT(16'h{init:04x})) {{n}} (.A(s[0]), .B(s[1]), .C(s[2]), .D(s[3]), .Z(q[0]));"
    return Cell(f"{prefix}LUT4", 4, 1, text, stateless(lambda s: [init >> number(s) & 1]))


def multiplexers(prefix: str = "") -> Iterator[Cell]:
    yield Cell(
        f"{prefix}PFUMX", 3, 1, f"{prefix}PFUMX {{n}} (.ALUT(s[0]), .BLUT(s[1]), .C0(s[2]), .Z(q[0]));",
        stateless(lambda s: [s[0] if s[2] else s[1]]),
    )  # fmt: skip
    yield Cell(
        f"{prefix}L6MUX21", 3, 1, f"{prefix}L6MUX21 {{n}} (.D0(s[0]), .D1(s[1]), .SD(s[2]), .Z(q[0]));",
        stateless(lambda s: [s[1] if s[2] else s[0]]),
    )  # fmt: skip


def carry_bit(init: int, cut: bool, inputs: Bits, carry: int) -> tuple[int, int]:
    """Sum and carry of a bit: the LUT propagates, its two-input half generates, and a cut separates both."""
    propagate, generate = init >> number(inputs) & 1, init >> number(inputs[:2]) & 1
    if cut:
        return propagate, carry if propagate else 0
    return propagate ^ carry, carry if propagate else generate


def carry_chain(inits: tuple[int, int], cuts: tuple[bool, bool], prefix: str = "") -> Cell:
    words = ["YES" if cut else "NO" for cut in cuts]
    text = (
        f"{prefix}CCU2C #(.INIT0(16'h{inits[0]:04x}), .INIT1(16'h{inits[1]:04x}), .INJECT1_0(\"{words[0]}\"),"
        f' .INJECT1_1("{words[1]}")) {{n}} (.CIN(s[8]), .A0(s[0]), .B0(s[1]), .C0(s[2]), .D0(s[3]), .A1(s[4]),'
        " .B1(s[5]), .C1(s[6]), .D1(s[7]), .S0(q[0]), .S1(q[1]), .COUT(q[2]));"
    )

    def compute(s: Bits) -> list[int]:
        first, middle = carry_bit(inits[0], cuts[0], s[:4], s[8])
        second, last = carry_bit(inits[1], cuts[1], s[4:8], middle)
        return [first, second, last]

    return Cell(f"{prefix}CCU2C", 9, 3, text, stateless(compute))


def flip_flop(ce: str, lsr: str, mode: str, value: str, sd: str | None, prefix: str = "") -> Cell:
    chosen = "" if sd is None else f', .SD("{sd}")'
    text = (
        f'{prefix}TRELLIS_FF #(.CEMUX("{ce}"), .LSRMUX("{lsr}"), .SRMODE("{mode}"), .REGSET("{value}"){chosen}) '
        "{n} (.CLK(ap_clk), .CE(s[0]), .LSR(s[1]), .DI(s[2]), .M(s[3]), .Q(q[0]));"
    )

    def make() -> Reference:
        reset = int(value == "SET")
        held = [reset]

        def compute(s: Bits) -> list[int]:
            enabled = {"1": 1, "0": 0, "CE": s[0], "INV": 1 - s[0]}[ce]
            cleared = s[1] if lsr == "LSR" else 1 - s[1]
            if cleared and mode == "ASYNC":
                held[0] = reset
            before = held[0]
            if cleared:
                held[0] = reset
            elif enabled:
                held[0] = s[3] if sd == "0" else s[2]
            return [before]

        return compute

    return Cell(f"{prefix}TRELLIS_FF", 4, 1, text, make)


def lut_memory(init: int, prefix: str = "", wre: str = "WRE") -> Cell:
    text = (
        f'{prefix}TRELLIS_DPR16X4 #(.INITVAL(64\'h{init:016x}), .WREMUX("{wre}")) {{n}} (.WCK(ap_clk), .WRE(s[0]),'
        " .DI(s[4:1]), .WAD(s[8:5]), .RAD(s[12:9]), .DO(q[3:0]));"
    )

    def make() -> Reference:
        words = [init >> 4 * at & 15 for at in range(16)]

        def compute(s: Bits) -> list[int]:
            before = words[number(s[9:13])]
            if s[0] ^ (wre == "INV"):
                words[number(s[5:9])] = number(s[1:5])
            return bits_of(before, 4)

        return compute

    return Cell(f"{prefix}TRELLIS_DPR16X4", 13, 4, text, make)


def slice_logic(init: int, upper: bool) -> Cell:
    pins = ", ".join(f".{pin}(s[{at}])" for at, pin in enumerate(("A", "B", "C", "D", "M", "F1", "FXA", "FXB")))
    text = f"TRELLIS_COMB #(.INITVAL(16'h{init:04x}), .IS_Z1(1'b{int(upper)})) {{n}} ({pins}, .F(q[0]), .OFX(q[1]));"

    def compute(s: Bits) -> list[int]:
        own = init >> number(s[:4]) & 1
        return [own, (s[7] if s[4] else s[6]) if upper else (s[5] if s[4] else own)]

    return Cell("TRELLIS_COMB", 8, 2, text, stateless(compute))


def slice_carry(init: int, cut: bool) -> Cell:
    pins = ", ".join(f".{pin}(s[{at}])" for at, pin in enumerate(("A", "B", "C", "D", "FCI")))
    word = "YES" if cut else "NO"
    text = (
        f'TRELLIS_COMB #(.MODE("CCU2"), .INITVAL(16\'h{init:04x}), .CCU2_INJECT1("{word}")) {{n}} '
        f"({pins}, .F(q[0]), .FCO(q[1]));"
    )
    return Cell("TRELLIS_COMB", 5, 2, text, stateless(lambda s: list(carry_bit(init, cut, s[:4], s[4]))))


def slice_memory() -> Cell:
    """Four bits of memory in slices and the one that feeds them: what place and route makes of a TRELLIS_DPR16X4."""
    ramw = ", ".join(f".{pin}(s[{at}])" for pin, at in zip(("C1", "A1", "D1", "B1"), range(1, 5), strict=True))
    # The write address comes in as the read address does: its lowest bit at D, then B, C, A.
    ramw += ", " + ", ".join(
        f".{pin}(s[{at}])" for pin, at in zip(("D0", "B0", "C0", "A0"), range(5, 9), strict=True)
    )
    ramw += "".join(f", .WDO{at}(wd[{at}]), .WADO{at}(wad[{at}])" for at in range(4))
    read = ", ".join(f".{pin}(s[{at}])" for pin, at in zip(("D", "B", "C", "A"), range(9, 13), strict=True))
    address = ", ".join(f".WAD{at}(wad[{at}])" for at in range(4))
    cells = " ".join(
        f'TRELLIS_COMB #(.MODE("DPRAM")) {{n}}_{at} ({read}, .WD(wd[{at}]), {address}, .WRE(s[0]), .WCK(ap_clk),'
        f" .F(q[{at}]));"
        for at in range(4)
    )
    text = f"wire [3:0] wd, wad; TRELLIS_RAMW {{n}} ({ramw}); {cells}"
    return Cell("TRELLIS_RAMW", 13, 4, text, lut_memory(0).make)


def multiplier() -> Cell:
    pins = [*(f".A{at}(s[{at}])" for at in range(18)), *(f".B{at}(s[{at + 18}])" for at in range(18))]
    pins += [f".P{at}(q[{at}])" for at in range(36)]
    pins += [".SIGNEDA(s[36])", ".SIGNEDB(s[37])", ".SOURCEA(1'b0)", ".SOURCEB(1'b0)"]

    def compute(s: Bits) -> list[int]:
        a, b = number(s[:18]), number(s[18:36])
        a -= (s[36] & s[17]) << 18
        b -= (s[37] & s[35]) << 18
        return bits_of(a * b & (1 << 36) - 1, 36)

    return Cell("MULT18X18D", 38, 36, f"MULT18X18D {{n}} ({', '.join(pins)});", stateless(compute))


def _place(width: int, address: int) -> list[int]:
    """The bits of a word, by their places in a memory of bytes of nine bits."""
    byte = address >> 3
    if width < 9:
        return [9 * byte + (address & 7 & ~(width - 1)) + at for at in range(width)]
    lanes = width // 9
    first = byte & ~(lanes - 1)
    return [9 * (first + at // 9) + at % 9 for at in range(width)]


def block_ram(write: int, read: int, mode: str, seed: int) -> Cell:
    """A block RAM: one port for both (read 0), or port A that writes and port B that reads."""
    content = [random.Random(seed).getrandbits(18) for _ in range(1024)]  # noqa: S311 - must be repeatable
    init = "".join(
        f", .INITVAL_{row:02X}(320'h{sum(content[16 * row + at] << 20 * at for at in range(16)):080x})"
        for row in range(64)
    )
    alone = read == 0
    # Stimuli: enable, write, reset, byte enables (4), data (36), addresses of A and B (6 bits each, and the highest).
    wide = write == 36
    low = {1: 0, 2: 1, 4: 2, 9: 3, 18: 4, 36: 5}
    data_b = [f".DIB{at}({f's[{25 + at}]' if wide else 1 - 1})" for at in range(18)]

    def address(port: str, width: int, first: int, enables: bool) -> tuple[list[str], Callable[[Bits], int]]:
        shift = low[width]
        places = {shift + at: first + at for at in range(6)} | {13: first + 6}
        pins = []
        for at in range(14):
            source = f"s[{places[at]}]" if at in places else "1'b0"
            if enables and width >= 18 and at < width // 9:
                source = f"s[{3 + at}]"
            pins.append(f".AD{port}{at}({source})")
        return pins, lambda s: sum(s[place] << at for at, place in places.items())

    pins_a, of_a = address("A", write, 43, True)
    pins_b, of_b = address("B", write if alone else read, 50, False)
    pins = [
        ".CLKA(ap_clk)", ".CLKB(ap_clk)", ".CEA(s[0])", ".WEA(s[1])", f".RSTA({'s[2]' if alone else 1 - 1})",
        f".CEB({'1' if not alone else '0'})", ".WEB(0)", f".RSTB({'s[2]' if not alone else 0})",
        ".OCEA(1)", ".OCEB(1)",
        *(f".CS{port}{at}(0)" for port in "AB" for at in range(3)),
        *(f".DIA{at}(s[{7 + at}])" for at in range(18)), *data_b, *pins_a, *pins_b,
    ]  # fmt: skip
    width = write if alone else read
    outputs = [f"DOA{at}" for at in range(18)] if alone else [f"DOB{at}" for at in range(18)]
    if width == 36:
        outputs = [f"DO{'A' if at < 18 else 'B'}{at % 18}" for at in range(36)]
    outputs = outputs[:width]
    pins += [f".{pin}(q[{at}])" for at, pin in enumerate(outputs)]
    text = (
        f'DP16KD #(.DATA_WIDTH_A({write}), .DATA_WIDTH_B({write if alone else read}), .WRITEMODE_A("{mode}"){init})'
        f" {{n}} ({', '.join(pins)});"
    )

    def make() -> Reference:
        memory = [word >> at & 1 for word in content for at in range(18)]
        held = [[0] * width]

        def compute(s: Bits) -> list[int]:
            before = held[0]
            place = _place(write, of_a(s))
            given = [*s[7:43]][:write]
            lanes = s[3:7] if write >= 18 else [1] * 4
            writes = s[0] and s[1] and not (alone and s[2])
            old = [memory[at] for at in (place if alone else _place(read, of_b(s)))]
            new = [given[at] if lanes[at // 9] else bit for at, bit in enumerate(memory[at] for at in place)]
            if writes:
                for at, bit in zip(place, new, strict=True):
                    memory[at] = bit
            if s[2]:
                held[0] = [0] * width
            elif not alone or (s[0] and not s[1]):
                held[0] = old
            elif s[0] and mode != "NORMAL":
                held[0] = new if mode == "WRITETHROUGH" else old
            return before

        return compute

    return Cell("DP16KD", 57, width, text, make)


def list_cells() -> list[Cell]:
    """All cells, in the ways in which Yosys and nextpnr use them; y_ stands before the names of Yosys' own models."""
    cells: list[Cell] = [slice_memory(), multiplier(), slice_logic(0xCA53, False), slice_logic(0x6A95, True)]
    cells += [slice_carry(0x96AA, cut) for cut in (False, True)]
    for prefix in ("", "y_"):
        cells += [lut(0x8E71, prefix), *multiplexers(prefix)]
        for cuts in ((False, False), (True, False), (False, True), (True, True)):
            cells.append(carry_chain((0x96AA, 0x5A3C), cuts, prefix))
        cells += [lut_memory(0x0123456789ABCDEF, prefix), lut_memory(0xF0F0, prefix, "INV")]
        for mode in ("ASYNC", "LSR_OVER_CE"):
            for ce in ("1", "0", "CE", "INV"):
                cells.append(flip_flop(ce, "LSR", mode, "RESET", None, prefix))
                cells.append(flip_flop(ce, "INV", mode, "SET", None, prefix))
    cells += [flip_flop("CE", "LSR", "LSR_OVER_CE", "SET", sd) for sd in ("0", "1")]
    for seed, width in enumerate((1, 2, 4, 9, 18)):
        cells += [block_ram(width, 0, mode, seed) for mode in ("NORMAL", "WRITETHROUGH", "READBEFOREWRITE")]
    cells += [block_ram(write, read, "NORMAL", 7) for write, read in ((36, 36), (36, 9), (9, 36), (18, 4), (1, 18))]
    return cells


def write_bench(cells: Sequence[Cell]) -> str:
    """A design whose input's beat holds the stimuli of all cells, and whose output's beat holds what they give."""
    stimuli, outputs = count_bits(cells)
    blocks, s, q = [], 0, 0
    for at, cell in enumerate(cells):
        blocks.append(
            f"\tif (1) begin : g_{at}\n\t\twire [{cell.stimuli - 1}:0] s = in0_V_TDATA[{s} +: {cell.stimuli}];\n"
            f"\t\twire [{cell.outputs - 1}:0] q;\n\t\tassign out0_V_TDATA[{q} +: {cell.outputs}] = q;\n"
            f"\t\t{cell.text.replace('{n}', 'dut')}\n\tend\n"
        )
        s, q = s + cell.stimuli, q + cell.outputs
    return (
        f"module bskernel_top (\n\tinput wire ap_clk, input wire ap_rst_n,\n"
        f"\tinput wire [{stimuli - 1}:0] in0_V_TDATA, input wire in0_V_TVALID, output wire in0_V_TREADY,\n"
        f"\toutput wire [{outputs - 1}:0] out0_V_TDATA, output wire out0_V_TVALID, input wire out0_V_TREADY\n);\n"
        "\tassign out0_V_TVALID = in0_V_TVALID, in0_V_TREADY = out0_V_TREADY;\n"
        f"{''.join(blocks)}endmodule\n"
    )


def count_bits(cells: Sequence[Cell]) -> tuple[int, int]:
    """Bits of the input's beat and of the output's: whole bytes."""
    return (-(-sum(c.stimuli for c in cells) // 8) * 8, -(-sum(c.outputs for c in cells) // 8) * 8)


def compute(cells: Sequence[Cell], frames: Sequence[Bits], idle: int) -> list[list[int]]:
    """What the cells give in each frame, after `idle` cycles with stimuli of 0."""
    made = [cell.make() for cell in cells]
    _, outputs = count_bits(cells)
    results = []
    for frame in [[0] * count_bits(cells)[0]] * idle + [*frames]:
        at, given = 0, []
        for cell, reference in zip(cells, made, strict=True):
            given += reference(frame[at : at + cell.stimuli])
            at += cell.stimuli
        results.append(given + [0] * (outputs - len(given)))
    return results[idle:]
