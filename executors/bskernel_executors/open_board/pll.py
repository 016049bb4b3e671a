"""The dividers of ECP5's PLL (EHXPLLL) for a clock. Pure.

The limits are those of Lattice's FPGA-DS-02012, "sysCLOCK PLL Timing" (ecppll of Project Trellis allows comparing at
3.125 MHz, too). The output feeds back, so its frequency is input * feedback / input_divider, and the oscillator runs
`output_divider` times as fast.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import msgspec

MHZ = 1_000_000
_INPUT, _COMPARED = (8 * MHZ, 400 * MHZ), (10 * MHZ, 400 * MHZ)
_OSCILLATOR, _OUTPUT = (400 * MHZ, 800 * MHZ), (Fraction(25, 8) * MHZ, 400 * MHZ)
_MOST_DIVIDER = 128


class Pll(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of a PLL."""

    input_hz: Fraction
    input_divider: int
    feedback_divider: int
    output_divider: int

    @property
    def output_hz(self) -> Fraction:
        """Its clock."""
        return self.input_hz * self.feedback_divider / self.input_divider

    @property
    def oscillator_hz(self) -> Fraction:
        """The frequency inside of it."""
        return self.output_hz * self.output_divider


def _fits(hz: Fraction, limits: tuple[Fraction | int, Fraction | int]) -> bool:
    return limits[0] <= hz <= limits[1]


def _candidates(input_hz: Fraction, most_hz: Fraction) -> Iterator[Pll]:
    for divider in range(1, _MOST_DIVIDER + 1):
        if not _fits(input_hz / divider, _COMPARED):
            continue
        feedback = min(_MOST_DIVIDER, int(most_hz * divider / input_hz))
        output = input_hz * feedback / divider
        if not feedback or not _fits(output, _OUTPUT):
            continue
        # As near as possible to the middle of the oscillator's range.
        middle = (_OSCILLATOR[0] + _OSCILLATOR[1]) // 2
        nearest = max(1, min(_MOST_DIVIDER, round(middle / output)))
        if _fits(output * nearest, _OSCILLATOR):
            yield Pll(input_hz=input_hz, input_divider=divider, feedback_divider=feedback, output_divider=nearest)


def find_pll(input_hz: Fraction, most_hz: Fraction) -> Pll:
    """Find the settings with the fastest clock of at most `most_hz`; of equal ones, those that compare most often.

    Raises ValueError, which says what the PLL can do.
    """
    if not _fits(input_hz, _INPUT):
        raise ValueError(
            f"the PLL takes clocks of 8 to 400 MHz, but the oscillator has {float(input_hz / MHZ):g} MHz"
        )
    found = max(_candidates(input_hz, most_hz), key=lambda pll: (pll.output_hz, -pll.input_divider), default=None)
    if found is None:
        raise ValueError(
            f"the PLL makes no clock of at most {float(most_hz / MHZ):g} MHz from {float(input_hz / MHZ):g} MHz"
        )
    return found


def write_clock(pll: Pll | None) -> str:
    """Write the module bsk_clock; without a PLL the oscillator is the clock.

    Simulations run at the design's clock, so they have no PLL. The attributes are those that Project Trellis' ecppll
    writes: current and resistor of the loop's filter.
    """
    if pll is None:
        body = "\tassign clk = oscillator, locked = 1'b1;\n"
    else:
        body = f"""`ifdef BSKERNEL_SIMULATION
	assign clk = oscillator, locked = 1'b1;
`else
	(* FREQUENCY_PIN_CLKI = "{float(pll.input_hz / MHZ):.6f}" *)
	(* FREQUENCY_PIN_CLKOP = "{float(pll.output_hz / MHZ):.6f}" *)
	(* ICP_CURRENT = "12", LPF_RESISTOR = "8", MFG_ENABLE_FILTEROPAMP = "1", MFG_GMCREF_SEL = "2" *)
	EHXPLLL #(
		.CLKI_DIV({pll.input_divider}), .CLKFB_DIV({pll.feedback_divider}), .CLKOP_DIV({pll.output_divider}),
		.CLKOP_CPHASE({max(0, pll.output_divider // 2 - 1)}), .CLKOP_FPHASE(0), .CLKOP_ENABLE("ENABLED"),
		.FEEDBK_PATH("CLKOP"), .OUTDIVIDER_MUXA("DIVA")
	) pll (
		.CLKI(oscillator), .CLKFB(clk), .CLKOP(clk), .LOCK(locked), .RST(1'b0), .STDBY(1'b0),
		.PHASESEL0(1'b0), .PHASESEL1(1'b0), .PHASEDIR(1'b1), .PHASESTEP(1'b1), .PHASELOADREG(1'b1),
		.PLLWAKESYNC(1'b0), .ENCLKOP(1'b1), .ENCLKOS(1'b0), .ENCLKOS2(1'b0), .ENCLKOS3(1'b0),
		.CLKOS(), .CLKOS2(), .CLKOS3(), .INTLOCK(), .REFCLK(), .CLKINTFB()
	);
`endif
"""
    return f"""// The design's clock.
module bsk_clock (
	input wire oscillator,
	output wire clk,
	output wire locked
);
{body}endmodule
"""
