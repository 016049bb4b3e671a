// Models of the logic of Lattice's ECP5 for the cycle simulation of a netlist, after Lattice's FPGA-DS-02012 (family data
// sheet) and FPGA-TN-02204 (memories), and Project Trellis for what place and route makes of them. Simulation has two
// states, and neither delays nor the global reset at power-up. What is not modelled stops it.

module VLO (output Z);
	assign Z = 1'b0;
endmodule

module VHI (output Z);
	assign Z = 1'b1;
endmodule

module INV (input A, output Z);
	assign Z = !A;
endmodule

module LUT4 #(parameter [15:0] INIT = 0) (input A, B, C, D, output Z);
	assign Z = INIT[{D, C, B, A}];
endmodule

// Two LUTs with a common fifth input.
module PFUMX (input ALUT, BLUT, C0, output Z);
	assign Z = C0 ? ALUT : BLUT;
endmodule

// Two PFUMXs, or two of these, with a common input more.
module L6MUX21 (input D0, D1, SD, output Z);
	assign Z = SD ? D1 : D0;
endmodule

// One bit of a carry chain: the LUT propagates the carry, its lowest quarter (inputs C and D low) generates it. INJECT
// cuts the LUT from the carry, so that the LUT sets or clears it.
module bskernel_ecp5_carry #(parameter [15:0] INIT = 0, parameter INJECT = "YES") (
	input A, B, C, D, carry_in,
	output sum, carry_out
);
	localparam bit CUT = INJECT == "YES";
	initial if (INJECT != "YES" && INJECT != "NO") $fatal(1, "the model of a carry chain has no INJECT1=%s", INJECT);
	wire propagate = INIT[{D, C, B, A}], generated = INIT[{2'b00, B, A}] && !CUT;
	assign sum = propagate ^ (carry_in && !CUT);
	assign carry_out = propagate ? carry_in : generated;
endmodule

module CCU2C #(
	parameter [15:0] INIT0 = 0, INIT1 = 0,
	parameter INJECT1_0 = "YES", INJECT1_1 = "YES"
)(
	input CIN, A0, B0, C0, D0, A1, B1, C1, D1,
	output S0, S1, COUT
);
	wire middle;
	bskernel_ecp5_carry #(.INIT(INIT0), .INJECT(INJECT1_0)) low (
		.A(A0), .B(B0), .C(C0), .D(D0), .carry_in(CIN), .sum(S0), .carry_out(middle)
	);
	bskernel_ecp5_carry #(.INIT(INIT1), .INJECT(INJECT1_1)) high (
		.A(A1), .B(B1), .C(C1), .D(D1), .carry_in(middle), .sum(S1), .carry_out(COUT)
	);
endmodule

// A flip-flop. A synchronous set or reset acts without CE. SD selects the LUT's output or the slice's input M, which only
// place and route tells apart.
module TRELLIS_FF #(
	parameter GSR = "ENABLED", CEMUX = "1", CLKMUX = "CLK", LSRMUX = "LSR", LSRONMUX = "LSRMUX", REGSET = "RESET",
	parameter SRMODE = "LSR_OVER_CE", LSRMODE = "LSR", SD = "1"
)(
	input CLK, LSR, CE, DI, M,
	output reg Q
);
	localparam bit VALUE = REGSET == "SET";
	initial begin
		Q = VALUE;
		if (LSRMODE != "LSR" || SRMODE != "ASYNC" && SRMODE != "LSR_OVER_CE" || LSRONMUX != "LSRMUX" && LSRONMUX != "0")
			$fatal(1, "the model of TRELLIS_FF has no LSRMODE=%s SRMODE=%s LSRONMUX=%s", LSRMODE, SRMODE, LSRONMUX);
	end
	wire enable = CEMUX == "1" || CEMUX != "0" && (CE ^ (CEMUX == "INV"));
	wire set = LSRONMUX != "0" && (LSR ^ (LSRMUX == "INV"));
	wire clock = CLK ^ (CLKMUX == "INV"), data = SD == "0" ? M : DI;
	if (SRMODE == "ASYNC") begin : g_asynchronous
		always @(posedge clock, posedge set) if (set) Q <= VALUE; else if (enable) Q <= data;
	end else begin : g_synchronous
		always @(posedge clock) if (set) Q <= VALUE; else if (enable) Q <= data;
	end
endmodule

// Memory in LUTs: written at the clock's edge, read at once.
module TRELLIS_DPR16X4 #(
	parameter [63:0] INITVAL = 0,
	parameter WCKMUX = "WCK", WREMUX = "WRE"
)(
	input [3:0] DI, WAD, RAD,
	input WRE, WCK,
	output [3:0] DO
);
	reg [3:0] words [0:15];
	initial for (int at = 0; at < 16; at++) words[at] = INITVAL[4 * at +: 4];
	wire clock = WCK ^ (WCKMUX == "INV"), write = WREMUX == "1" || WREMUX != "0" && (WRE ^ (WREMUX == "INV"));
	always @(posedge clock) if (write) words[WAD] <= DI;
	assign DO = words[RAD];
endmodule

// What place and route makes of a LUT, a bit of a carry chain, or a bit of a memory in LUTs. The upper one of two has IS_Z1:
// its multiplexer is an L6MUX21, that of the lower one a PFUMX.
module TRELLIS_COMB #(
	parameter MODE = "LOGIC", CCU2_INJECT1 = "NO",
	parameter [15:0] INITVAL = 0,
	parameter [0:0] IS_Z1 = 0
)(
	input A, B, C, D, M, FCI, F1, FXA, FXB, WD, WAD0, WAD1, WAD2, WAD3, WRE, WCK,
	output F, FCO, OFX
);
	if (MODE == "LOGIC" || MODE == "RAMW_BLOCK") begin : g_logic
		// A RAMW_BLOCK lends its inputs to the TRELLIS_RAMW beside it.
		assign F = MODE == "LOGIC" && INITVAL[{D, C, B, A}], FCO = 1'b0;
	end else if (MODE == "CCU2") begin : g_carry
		bskernel_ecp5_carry #(.INIT(INITVAL), .INJECT(CCU2_INJECT1)) carry (
			.A(A), .B(B), .C(C), .D(D), .carry_in(FCI), .sum(F), .carry_out(FCO)
		);
	end else if (MODE == "DPRAM") begin : g_memory
		// The address of a word lies at D, B, C, A, its lowest bit first; INITVAL is the content as the LUT's table.
		reg words [0:15];
		initial for (int at = 0; at < 16; at++) words[at] = INITVAL[{at[0], at[2], at[1], at[3]}];
		always @(posedge WCK) if (WRE) words[{WAD3, WAD2, WAD1, WAD0}] <= WD;
		assign F = words[{A, C, B, D}], FCO = 1'b0;
	end else begin : g_none
		initial $fatal(1, "the model of TRELLIS_COMB has no MODE=%s", MODE);
	end
	assign OFX = IS_Z1 ? (M ? FXB : FXA) : (M ? F1 : F);
endmodule

// The slice that distributes a memory's write address and data to the slices that hold it.
module TRELLIS_RAMW (
	input A0, B0, C0, D0, A1, B1, C1, D1,
	output WDO0, WDO1, WDO2, WDO3, WADO0, WADO1, WADO2, WADO3
);
	assign {WADO3, WADO2, WADO1, WADO0} = {A0, C0, B0, D0};
	assign {WDO3, WDO2, WDO1, WDO0} = {B1, D1, A1, C1};
endmodule

// A buffer of the clock tree.
module DCCA (input CLKI, CE, output CLKO);
	always_comb if (!CE) $fatal(1, "the model of DCCA has no CE=0");
	assign CLKO = CLKI;
endmodule

// A pin that is an input or an output. The writer of a routed netlist picks one by DIR.
module bskernel_ecp5_input_pin (input B, output O);
	assign O = B;
endmodule

module bskernel_ecp5_output_pin (input I, output B);
	assign B = I;
endmodule

// The simulation's clock is that of the design, so the PLL gives what it takes and has locked.
module EHXPLLL #(
	parameter CLKI_DIV = 1, CLKFB_DIV = 1, CLKOP_DIV = 8, CLKOP_CPHASE = 0, CLKOP_FPHASE = 0,
	parameter CLKOP_ENABLE = "ENABLED", FEEDBK_PATH = "CLKOP", OUTDIVIDER_MUXA = "DIVA"
)(
	input CLKI, CLKFB, PHASESEL1, PHASESEL0, PHASEDIR, PHASESTEP, PHASELOADREG, STDBY, PLLWAKESYNC, RST,
	input ENCLKOP, ENCLKOS, ENCLKOS2, ENCLKOS3,
	output CLKOP, CLKOS, CLKOS2, CLKOS3, LOCK, INTLOCK, REFCLK, CLKINTFB
);
	assign CLKOP = CLKI, LOCK = 1'b1, INTLOCK = 1'b1, REFCLK = CLKI;
	assign {CLKOS, CLKOS2, CLKOS3, CLKINTFB} = 4'b0;
endmodule
