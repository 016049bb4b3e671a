// The control of FINN's unit for matrix products without its arithmetic, for simulations that size FIFOs: a sum is valid
// in the same cycle, and is zero. It takes the place of the module of the same name; Verilator then leaves out the data.
module mvu #(
	int unsigned VERSION = 1,
	int unsigned PE,
	int unsigned SIMD,
	int unsigned WEIGHT_WIDTH,
	int unsigned ACTIVATION_WIDTH,
	int unsigned ACCU_WIDTH,
	bit SIGNED_ACTIVATIONS = 0,
	bit NARROW_WEIGHTS = 0,
	bit FORCE_BEHAVIORAL = 0
)(
	input logic clk,
	input logic rst,
	input logic en,
	input logic last,
	input logic zero,
	input logic signed [PE-1:0][SIMD-1:0][WEIGHT_WIDTH-1:0] w,
	input logic [SIMD-1:0][ACTIVATION_WIDTH-1:0] a,
	output logic vld,
	output logic signed [PE-1:0][ACCU_WIDTH-1:0] p
);
	localparam int unsigned STAGES = SIMD > 1 ? 4 + $clog2(SIMD) : 5;
	logic [STAGES-1:0] ends = '0;
	always_ff @(posedge clk) begin
		if (rst) ends <= '0;
		else if (en) ends <= (ends << 1) | STAGES'(last);
	end
	assign vld = ends[STAGES-1];
	assign p = '0;
endmodule
