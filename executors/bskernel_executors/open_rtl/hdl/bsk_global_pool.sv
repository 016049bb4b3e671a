// Sums PIXELS vectors of FOLDS beats, beat by beat. The sums leave while the last vector enters.
module bsk_global_pool #(
	parameter int unsigned PE = 1,
	parameter int unsigned FOLDS = 1,
	parameter int unsigned PIXELS = 4,
	parameter int unsigned IN_BITS = 4,
	parameter int unsigned IN_KIND = 0, // as of bsk_extend
	parameter int unsigned OUT_BITS = 6 // hold every sum
)(
	input logic clk,
	input logic rst_n,

	input logic [PE-1:0][IN_BITS-1:0] in_data,
	input logic in_valid,
	output logic in_ready,

	output logic [PE-1:0][OUT_BITS-1:0] out_data,
	output logic out_valid,
	input logic out_ready
);
	localparam int unsigned FOLD = FOLDS > 1 ? $clog2(FOLDS) : 1;
	localparam int unsigned PIXEL = PIXELS > 1 ? $clog2(PIXELS) : 1;
	logic [FOLD-1:0] fold;
	logic [PIXEL-1:0] pixel;
	logic free;
	wire first = pixel == '0;
	wire last = pixel == PIXEL'(PIXELS - 1);
	wire take = in_valid && in_ready;
	assign in_ready = !last || free;

	always_ff @(posedge clk) begin
		if (!rst_n) begin
			fold <= '0;
			pixel <= '0;
		end else if (take) begin
			if (fold == FOLD'(FOLDS - 1)) begin
				fold <= '0;
				pixel <= last ? '0 : pixel + 1'b1;
			end else begin
				fold <= fold + 1'b1;
			end
		end
	end

	logic [PE-1:0][OUT_BITS-1:0] memory[FOLDS];
	logic [PE-1:0][OUT_BITS-1:0] value, now;
	wire [PE-1:0][OUT_BITS-1:0] so_far = memory[fold];
	bsk_extend #(.LANES(PE), .IN_BITS(IN_BITS), .OUT_BITS(OUT_BITS), .KIND(IN_KIND)) extend (
		.in_data, .out_data(value)
	);
	for (genvar i = 0; i < PE; i++) begin : gen_lane
		assign now[i] = first ? value[i] : so_far[i] + value[i];
	end
	always_ff @(posedge clk) if (take) memory[fold] <= now;

	bsk_register #(.WIDTH(PE * OUT_BITS)) slice (
		.clk, .rst_n,
		.in_data(now), .in_valid(in_valid && last), .in_ready(free),
		.out_data, .out_valid, .out_ready
	);
endmodule
