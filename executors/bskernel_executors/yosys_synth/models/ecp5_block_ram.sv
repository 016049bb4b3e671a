// Model of ECP5's block RAM (DP16KD), after Lattice's FPGA-TN-02204: two ports of at most 18 bits, or a port that writes 36 bits
// beside one that reads as many. Words of 9 bits and more are made of bytes of 9 bits, of which narrower words leave out the
// highest bit.
//
// A port that reads what the other port writes in the same cycle gets the old content, where hardware guarantees nothing.
module bskernel_ecp5_block_ram #(
	parameter integer WIDTH_A = 18, WIDTH_B = 18,
	parameter WRITEMODE_A = "NORMAL", WRITEMODE_B = "NORMAL", RESETMODE = "SYNC",
	parameter [64*320-1:0] INIT = 0
)(
	input clk_a, clk_b, ce_a, ce_b, we_a, we_b, rst_a, rst_b,
	input [13:0] ad_a, ad_b,
	input [17:0] di_a, di_b,
	output [17:0] do_a, do_b
);
	localparam bit SYNC = RESETMODE == "SYNC";
	function automatic bit is_width(integer width);
		return width == 1 || width == 2 || width == 4 || width == 9 || width == 18 || width == 36;
	endfunction
	function automatic bit is_mode(logic [15*8-1:0] mode);
		return mode == "NORMAL" || mode == "WRITETHROUGH" || mode == "READBEFOREWRITE";
	endfunction
	initial begin
		if (!is_width(WIDTH_A) || !is_width(WIDTH_B))
			$fatal(1, "the model of DP16KD has no DATA_WIDTH_A=%0d DATA_WIDTH_B=%0d", WIDTH_A, WIDTH_B);
		if (!is_mode(WRITEMODE_A) || !is_mode(WRITEMODE_B))
			$fatal(1, "the model of DP16KD has no WRITEMODE_A=%s WRITEMODE_B=%s", WRITEMODE_A, WRITEMODE_B);
		if (!SYNC && RESETMODE != "ASYNC") $fatal(1, "the model of DP16KD has no RESETMODE=%s", RESETMODE);
	end

	// INIT gives 20 bits to each word of 18.
	reg [8:0] bytes [0:2047];
	initial for (integer at = 0; at < 2048; at++) bytes[at] = INIT[20 * (at / 2) + 9 * (at % 2) +: 9];

	function automatic [10:0] first_of(logic [13:0] address, integer width);
		return address[13:3] & ~11'(width > 9 ? width / 9 - 1 : 0);
	endfunction
	function automatic [3:0] lanes_of(logic [13:0] address, integer width);
		return width == 36 ? address[3:0] : width == 18 ? {2'b00, address[1:0]} : 4'b0001;
	endfunction
	function automatic [35:0] word(logic [13:0] address, integer width);
		word = 0;
		if (width < 9) word[8:0] = bytes[address[13:3]] >> (address[2:0] & ~3'(width - 1)) & 9'((1 << width) - 1);
		else
			for (integer lane = 0; lane < width / 9; lane++) word[9 * lane +: 9] = bytes[first_of(address, width) + 11'(lane)];
	endfunction
	function automatic [35:0] merged(logic [35:0] old, logic [35:0] given, logic [3:0] lanes, integer width);
		merged = old;
		for (integer lane = 0; lane < 4; lane++) if (lanes[lane]) merged[9 * lane +: 9] = given[9 * lane +: 9];
		if (width < 9) merged[8:0] = given[8:0] & 9'((1 << width) - 1);
	endfunction

	// Writes happen at the end of the time step, so that the other port still reads the old content.
	localparam integer NARROW_A = WIDTH_A < 9 ? WIDTH_A : 1, NARROW_B = WIDTH_B < 9 ? WIDTH_B : 1;
	`define BSKERNEL_WRITE(ADDRESS, WIDTH, NARROW, GIVEN) \
		if (WIDTH < 9) bytes[ADDRESS[13:3]][(4'(ADDRESS[2:0]) & ~4'(NARROW - 1)) +: NARROW] <= GIVEN[NARROW-1:0]; \
		else \
			for (integer lane = 0; lane < WIDTH / 9; lane++) \
				if (lanes_of(ADDRESS, WIDTH)[lane]) bytes[first_of(ADDRESS, WIDTH) + 11'(lane)] <= GIVEN[9 * lane +: 9];

	// A synchronous reset needs no enable, and keeps its port from writing.
	wire write_a = ce_a && we_a && !(SYNC && rst_a), write_b = ce_b && we_b && !(SYNC && rst_b);
	wire [35:0] given_a = {WIDTH_A == 36 ? di_b : 18'd0, di_a}, given_b = {18'd0, di_b};
	wire [3:0] lanes_a = lanes_of(ad_a, WIDTH_A), lanes_b = lanes_of(ad_b, WIDTH_B);
	reg [35:0] out_a = 0, out_b = 0;
	wire clear_a = !SYNC && rst_a, clear_b = !SYNC && rst_b;

	always @(posedge clk_a, posedge clear_a)
		if (clear_a) out_a <= 0;
		else if (SYNC && rst_a) out_a <= 0;
		else if (ce_a && (!we_a || WRITEMODE_A != "NORMAL"))
			out_a <= we_a && WRITEMODE_A == "WRITETHROUGH" ? merged(word(ad_a, WIDTH_A), given_a, lanes_a, WIDTH_A)
				: word(ad_a, WIDTH_A);
	always @(posedge clk_a) if (write_a) begin
		`BSKERNEL_WRITE(ad_a, WIDTH_A, NARROW_A, given_a)
	end

	always @(posedge clk_b, posedge clear_b)
		if (clear_b) out_b <= 0;
		else if (SYNC && rst_b) out_b <= 0;
		else if (ce_b && (!we_b || WRITEMODE_B != "NORMAL"))
			out_b <= we_b && WRITEMODE_B == "WRITETHROUGH" ? merged(word(ad_b, WIDTH_B), given_b, lanes_b, WIDTH_B)
				: word(ad_b, WIDTH_B);
	always @(posedge clk_b) if (write_b) begin
		if (WIDTH_B == 36) $fatal(1, "the model of DP16KD has no port B that writes 36 bits");
		`BSKERNEL_WRITE(ad_b, WIDTH_B, NARROW_B, given_b)
	end
	`undef BSKERNEL_WRITE

	// A word of 36 bits leaves by both ports, the low half by port A's.
	assign do_a = WIDTH_B == 36 ? out_b[17:0] : out_a[17:0];
	assign do_b = WIDTH_B == 36 ? out_b[35:18] : out_b[17:0];
endmodule
