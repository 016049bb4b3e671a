// Puts the beats of a frame in another order: one half of a memory takes a frame while the other is read by N nested
// loops, the innermost first. One beat per cycle in and out; a frame leaves when it has come whole.
module bsk_shuffle #(
	parameter int unsigned WIDTH = 8,
	parameter int unsigned BEATS = 6,
	parameter int unsigned N = 2,
	parameter logic [N-1:0][31:0] SIZES = {32'd3, 32'd2},
	// How far the address jumps when a loop goes on and those inside it begin again.
	parameter logic [N-1:0][31:0] JUMPS = {-32'd2, 32'd3}
)(
	input logic clk,
	input logic rst_n,

	input logic [WIDTH-1:0] in_data,
	input logic in_valid,
	output logic in_ready,

	output logic [WIDTH-1:0] out_data,
	output logic out_valid,
	input logic out_ready
);
	localparam int unsigned ADDRESS = $clog2(2 * BEATS);
	logic [ADDRESS-1:0] to, from;
	logic [1:0] frames; // that are stored whole
	logic upper, step, sent_valid; // half that is read

	wire put = in_valid && in_ready;
	wire go = step && frames != 0;
	wire is_stored = put && (to == ADDRESS'(BEATS - 1) || to == ADDRESS'(2 * BEATS - 1));
	assign in_ready = frames != 2;

	logic [31:0] count[N];
	logic [N-1:0] begins; // loop goes on or begins again
	logic [ADDRESS-1:0] jump;
	logic is_end;
	always_comb begin
		is_end = 1'b1;
		jump = '0;
		for (int unsigned i = 0; i < N; i++) begin
			begins[i] = is_end;
			if (is_end && count[i] != SIZES[i] - 1) begin
				is_end = 1'b0;
				jump = ADDRESS'(JUMPS[i]);
			end
		end
	end
	wire is_read = go && is_end;

	always_ff @(posedge clk) begin
		if (!rst_n) begin
			{to, from} <= '0;
			frames <= '0;
			upper <= 1'b0;
			for (int unsigned i = 0; i < N; i++) count[i] <= '0;
		end else begin
			if (put) to <= to == ADDRESS'(2 * BEATS - 1) ? '0 : to + 1;
			if (go) begin
				from <= from + jump;
				for (int unsigned i = 0; i < N; i++)
					if (begins[i]) count[i] <= count[i] == SIZES[i] - 1 ? '0 : count[i] + 1;
			end
			if (is_read) begin
				from <= upper ? '0 : ADDRESS'(BEATS);
				upper <= !upper;
			end
			if (is_stored && !is_read) frames <= frames + 1;
			if (is_read && !is_stored) frames <= frames - 1;
		end
	end

	logic [WIDTH-1:0] memory[2*BEATS];
	logic [WIDTH-1:0] stored;
	always_ff @(posedge clk) begin
		if (put) memory[to] <= in_data;
		if (step) stored <= memory[from];
		if (!rst_n) sent_valid <= 1'b0;
		else if (step) sent_valid <= go;
	end

	bsk_register #(.WIDTH(WIDTH)) slice (
		.clk, .rst_n,
		.in_data(stored), .in_valid(sent_valid), .in_ready(step),
		.out_data, .out_valid, .out_ready
	);
endmodule
