// Model of UltraRAM for the cycle simulation of a netlist, after AMD's UG573 and UG974: 4,096 words of 72 bits, two ports
// with one clock, of which A comes before B in each cycle. Contents are zero at first. What is not modelled stops the
// simulation: cascades, ECC, sleep, asynchronous resets, and registers at inputs or outputs.
module URAM288 #(
	parameter BWE_MODE_A = "PARITY_INTERLEAVED",
	parameter BWE_MODE_B = "PARITY_INTERLEAVED",
	parameter EN_AUTO_SLEEP_MODE = "FALSE",
	parameter IREG_PRE_A = "FALSE",
	parameter IREG_PRE_B = "FALSE",
	parameter [0:0] IS_CLK_INVERTED = 1'b0,
	parameter OREG_A = "FALSE",
	parameter OREG_B = "FALSE",
	parameter RST_MODE_A = "SYNC",
	parameter RST_MODE_B = "SYNC"
)(
	input CLK, SLEEP,
	input EN_A, EN_B, RDB_WR_A, RDB_WR_B, RST_A, RST_B,
	input INJECT_DBITERR_A, INJECT_DBITERR_B, INJECT_SBITERR_A, INJECT_SBITERR_B,
	input [22:0] ADDR_A, ADDR_B,
	input [8:0] BWE_A, BWE_B,
	input [71:0] DIN_A, DIN_B,
	output reg [71:0] DOUT_A, DOUT_B
);
	initial if (EN_AUTO_SLEEP_MODE != "FALSE" || IREG_PRE_A != "FALSE" || IREG_PRE_B != "FALSE" || OREG_A != "FALSE"
		|| OREG_B != "FALSE")
		$fatal(1, "the model of URAM288 supports no registers and no sleep");
	// Yosys sets this mode for a reset that it ties to 0.
	wire is_late = RST_MODE_A != "SYNC" && RST_A || RST_MODE_B != "SYNC" && RST_B;

	// Bits that are written: bits 71 to 64 are the bytes' parity, which goes with its byte or is a byte of its own.
	function automatic [71:0] mask(input [8:0] enables, input is_interleaved);
		for (integer byte_ = 0; byte_ < 8; byte_++) begin
			mask[8 * byte_ +: 8] = {8{enables[byte_]}};
			mask[64 + byte_] = is_interleaved ? enables[byte_] : enables[8];
		end
	endfunction

	reg [71:0] words [0:4095];
	initial begin
		for (integer at = 0; at < 4096; at++) words[at] = 72'd0;
		DOUT_A = 72'd0;
		DOUT_B = 72'd0;
	end
	wire [71:0] mask_a = mask(BWE_A, BWE_MODE_A == "PARITY_INTERLEAVED");
	wire [71:0] mask_b = mask(BWE_B, BWE_MODE_B == "PARITY_INTERLEAVED");
	wire clk = CLK ^ IS_CLK_INVERTED;
	reg [71:0] next;
	always @(posedge clk) begin
		if (is_late || SLEEP || INJECT_DBITERR_A || INJECT_DBITERR_B || INJECT_SBITERR_A || INJECT_SBITERR_B
			|| EN_A && |ADDR_A[22:12] || EN_B && |ADDR_B[22:12])
			$fatal(1, "the model of URAM288 supports no asynchronous reset, no sleep, no injected errors and no cascades");
		if (RST_A) DOUT_A <= 72'd0;
		else if (EN_A && !RDB_WR_A) DOUT_A <= words[ADDR_A[11:0]];
		next = words[ADDR_B[11:0]];
		if (EN_A && RDB_WR_A && ADDR_A == ADDR_B) next = DIN_A & mask_a | next & ~mask_a;
		if (RST_B) DOUT_B <= 72'd0;
		else if (EN_B && !RDB_WR_B) DOUT_B <= next;
		if (EN_A && RDB_WR_A) words[ADDR_A[11:0]] <= DIN_A & mask_a | words[ADDR_A[11:0]] & ~mask_a;
		if (EN_B && RDB_WR_B) words[ADDR_B[11:0]] <= DIN_B & mask_b | next & ~mask_b;
	end
endmodule
