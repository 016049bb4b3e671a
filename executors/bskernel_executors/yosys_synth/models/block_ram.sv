// Model of block RAM for the cycle simulation of a netlist, after AMD's UG473 and UG573: two ports of at most HALF data bits
// with a parity bit per byte, or one read port and one write port of twice that width.
//
// A port that reads what the other port writes in the same cycle gets the old content. Hardware guarantees this if the
// writing port is READ_FIRST; otherwise its output is undefined. What is not modelled stops the simulation.
module bskernel_block_ram #(
	parameter integer BYTES = 2048,
	parameter [8*BYTES-1:0] INIT = 0,
	parameter [BYTES-1:0] INITP = 0,
	parameter integer HALF = 16, // data bits per port
	parameter integer DOA_REG = 0,
	parameter integer DOB_REG = 0,
	parameter [9*HALF/8-1:0] INIT_A = 0,
	parameter [9*HALF/8-1:0] INIT_B = 0,
	parameter [9*HALF/8-1:0] SRVAL_A = 0,
	parameter [9*HALF/8-1:0] SRVAL_B = 0,
	parameter integer READ_WIDTH_A = 0,
	parameter integer READ_WIDTH_B = 0,
	parameter integer WRITE_WIDTH_A = 0,
	parameter integer WRITE_WIDTH_B = 0,
	parameter WRITE_MODE_A = "NO_CHANGE",
	parameter WRITE_MODE_B = "NO_CHANGE"
)(
	input clk_a, clk_b, en_a, en_b, rst_a, rst_b, rstreg_a, rstreg_b, regce_a, regce_b,
	input [$clog2(8*BYTES)-1:0] addr_a, addr_b,
	input [HALF/8-1:0] we_a,
	input [HALF/4-1:0] we_b,
	input [HALF-1:0] di_a, di_b,
	input [HALF/8-1:0] dip_a, dip_b,
	output [HALF-1:0] do_a, do_b,
	output [HALF/8-1:0] dop_a, dop_b
);
	localparam integer WIDE = 2 * HALF, LANES = HALF / 8, BITS = $clog2(8 * BYTES);
	localparam bit WIDE_READ = READ_WIDTH_A > 9 * LANES, WIDE_WRITE = WRITE_WIDTH_B > 9 * LANES;

	function automatic bit is_width(integer width, integer most);
		return width == 0 || width == 1 || width == 2 || width == 4 || width == 9 || width == 18
			|| width == 36 && most >= 36 || width == 72 && most >= 72;
	endfunction
	initial begin
		if (!is_width(READ_WIDTH_A, 18 * LANES) || !is_width(WRITE_WIDTH_B, 18 * LANES) || !is_width(READ_WIDTH_B, 9 * LANES)
			|| !is_width(WRITE_WIDTH_A, 9 * LANES) || WIDE_READ && READ_WIDTH_B != 0 || WIDE_WRITE && WRITE_WIDTH_A != 0)
			$fatal(1, "the model of block RAM has no READ_WIDTH_A=%0d READ_WIDTH_B=%0d WRITE_WIDTH_A=%0d WRITE_WIDTH_B=%0d",
				READ_WIDTH_A, READ_WIDTH_B, WRITE_WIDTH_A, WRITE_WIDTH_B);
		if (DOA_REG != 0 || DOB_REG != 0)
			$fatal(1, "the model of block RAM has no output register: DOA_REG=%0d DOB_REG=%0d", DOA_REG, DOB_REG);
		if (WRITE_MODE_A != "READ_FIRST" && WRITE_MODE_A != "WRITE_FIRST" && WRITE_MODE_A != "NO_CHANGE"
			|| WRITE_MODE_B != "READ_FIRST" && WRITE_MODE_B != "WRITE_FIRST" && WRITE_MODE_B != "NO_CHANGE")
			$fatal(1, "the model of block RAM has no WRITE_MODE_A=%s WRITE_MODE_B=%s", WRITE_MODE_A, WRITE_MODE_B);
	end

	reg [7:0] data [0:BYTES-1];
	reg parity [0:BYTES-1];
	initial begin
		for (integer at = 0; at < BYTES; at++) begin
			data[at] = INIT[8 * at +: 8];
			parity[at] = INITP[at];
		end
	end

	// Data bits in a word of a width. Widths of 9 and more include parity.
	function automatic integer bits_of(integer width);
		return width < 9 ? width : width / 9 * 8;
	endfunction
	// The byte in which a word begins.
	function automatic [BITS-4:0] byte_of(logic [BITS-1:0] address, integer width);
		return (BITS-3)'(address >> 3) & ~(BITS-3)'(bits_of(width) / 8 > 1 ? bits_of(width) / 8 - 1 : 0);
	endfunction

	// Read a word: parity above data.
	function automatic [9*WIDE/8-1:0] word(logic [BITS-1:0] address, integer width);
		automatic logic [BITS-4:0] first = byte_of(address, width);
		word = 0;
		if (width > 0 && width < 9)
			word[7:0] = data[first] >> (address[2:0] & ~3'(width - 1)) & 8'((1 << width) - 1);
		else
			for (integer lane = 0; lane < width / 9; lane++) begin
				word[8 * lane +: 8] = data[first + (BITS-3)'(lane)];
				word[WIDE + lane] = parity[first + (BITS-3)'(lane)];
			end
	endfunction

	// Write the bytes of a word that `enabled` selects.
	function automatic [9*WIDE/8-1:0] merged(
		logic [9*WIDE/8-1:0] old, logic [WIDE-1:0] given, logic [WIDE/8-1:0] givenp, logic [WIDE/8-1:0] enabled, integer width
	);
		merged = old;
		for (integer lane = 0; lane < (width + 8) / 9; lane++)
			if (enabled[lane]) begin
				merged[8 * lane +: 8] = width < 9 ? given[7:0] & 8'((1 << width) - 1) : given[8 * lane +: 8];
				merged[WIDE + lane] = givenp[lane];
			end
	endfunction

	// Writes happen at the end of the time step, so that the other port still reads the old content. Writes of less than a
	// byte only touch their own bits, because the other port may write others in the same byte.
	localparam integer NARROW_A = WRITE_WIDTH_A > 0 && WRITE_WIDTH_A < 9 ? WRITE_WIDTH_A : 1;
	localparam integer NARROW_B = WRITE_WIDTH_B > 0 && WRITE_WIDTH_B < 9 ? WRITE_WIDTH_B : 1;
	`define BSKERNEL_WRITE(ADDRESS, WIDTH, NARROW, GIVEN, GIVENP, ENABLED) \
		if (WIDTH > 0 && WIDTH < 9) begin \
			if (ENABLED[0]) data[ADDRESS >> 3][(ADDRESS[2:0] & ~3'(NARROW - 1)) +: NARROW] <= GIVEN[NARROW-1:0]; \
		end else \
			for (integer lane = 0; lane < WIDTH / 9; lane++) \
				if (ENABLED[lane]) begin \
					data[byte_of(ADDRESS, WIDTH) + (BITS-3)'(lane)] <= GIVEN[8 * lane +: 8]; \
					parity[byte_of(ADDRESS, WIDTH) + (BITS-3)'(lane)] <= GIVENP[lane]; \
				end

	wire [WIDE-1:0] given_a = {{HALF{1'b0}}, di_a}, given_b = WIDE_WRITE ? {di_b, di_a} : {{HALF{1'b0}}, di_b};
	wire [WIDE/8-1:0] givenp_a = {{LANES{1'b0}}, dip_a}, givenp_b = WIDE_WRITE ? {dip_b, dip_a} : {{LANES{1'b0}}, dip_b};
	wire [WIDE/8-1:0] enabled_a = WRITE_WIDTH_A == 0 ? '0 : {{LANES{1'b0}}, we_a};
	wire [WIDE/8-1:0] enabled_b = WRITE_WIDTH_B == 0 ? '0 : we_b;

	reg [9*WIDE/8-1:0] out_a = WIDE_READ ? {INIT_B[HALF +: LANES], INIT_A[HALF +: LANES], INIT_B[0 +: HALF], INIT_A[0 +: HALF]}
		: {{LANES{1'b0}}, INIT_A[HALF +: LANES], {HALF{1'b0}}, INIT_A[0 +: HALF]};
	reg [9*WIDE/8-1:0] out_b = {{LANES{1'b0}}, INIT_B[HALF +: LANES], {HALF{1'b0}}, INIT_B[0 +: HALF]};
	always @(posedge clk_a) begin
		if (en_a) begin
			`BSKERNEL_WRITE(addr_a, WRITE_WIDTH_A, NARROW_A, given_a, givenp_a, enabled_a)
			if (rst_a)
				out_a <= WIDE_READ
					? {SRVAL_B[HALF +: LANES], SRVAL_A[HALF +: LANES], SRVAL_B[0 +: HALF], SRVAL_A[0 +: HALF]}
					: {{LANES{1'b0}}, SRVAL_A[HALF +: LANES], {HALF{1'b0}}, SRVAL_A[0 +: HALF]};
			else if (enabled_a == 0 || WRITE_MODE_A == "READ_FIRST") out_a <= word(addr_a, READ_WIDTH_A);
			else if (WRITE_MODE_A == "WRITE_FIRST") begin
				if (READ_WIDTH_A != WRITE_WIDTH_A)
					$fatal(1, "the model of block RAM has no WRITE_FIRST port that writes %0d bits and reads %0d",
						WRITE_WIDTH_A, READ_WIDTH_A);
				out_a <= merged(word(addr_a, READ_WIDTH_A), given_a, givenp_a, enabled_a, WRITE_WIDTH_A);
			end
		end
	end
	always @(posedge clk_b) begin
		if (en_b) begin
			`BSKERNEL_WRITE(addr_b, WRITE_WIDTH_B, NARROW_B, given_b, givenp_b, enabled_b)
			if (rst_b) out_b <= {{LANES{1'b0}}, SRVAL_B[HALF +: LANES], {HALF{1'b0}}, SRVAL_B[0 +: HALF]};
			else if (READ_WIDTH_B != 0) begin
				if (enabled_b == 0 || WRITE_MODE_B == "READ_FIRST") out_b <= word(addr_b, READ_WIDTH_B);
				else if (WRITE_MODE_B == "WRITE_FIRST") begin
					if (READ_WIDTH_B != WRITE_WIDTH_B)
						$fatal(1, "the model of block RAM has no WRITE_FIRST port that writes %0d bits and reads %0d",
							WRITE_WIDTH_B, READ_WIDTH_B);
					out_b <= merged(word(addr_b, READ_WIDTH_B), given_b, givenp_b, enabled_b, WRITE_WIDTH_B);
				end
			end
		end
	end
	`undef BSKERNEL_WRITE
	assign do_a = out_a[0 +: HALF];
	assign dop_a = out_a[WIDE +: LANES];
	assign do_b = WIDE_READ ? out_a[HALF +: HALF] : out_b[0 +: HALF];
	assign dop_b = WIDE_READ ? out_a[WIDE + LANES +: LANES] : out_b[WIDE +: LANES];
endmodule
