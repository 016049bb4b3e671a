// Copies one stream to N. An output may be two beats ahead of another; ready is registered on all sides.
module bsk_fork #(
	parameter int unsigned N = 2,
	parameter int unsigned WIDTH = 8
)(
	input logic clk,
	input logic rst_n,

	input logic [WIDTH-1:0] in_data,
	input logic in_valid,
	output logic in_ready,

	output logic [N-1:0][WIDTH-1:0] out_data,
	output logic [N-1:0] out_valid,
	input logic [N-1:0] out_ready
);
	logic [N-1:0] free;
	assign in_ready = &free;

	for (genvar i = 0; i < N; i++) begin : gen_output
		bsk_register #(.WIDTH(WIDTH)) slice (
			.clk, .rst_n,
			.in_data, .in_valid(in_valid && in_ready), .in_ready(free[i]),
			.out_data(out_data[i]), .out_valid(out_valid[i]), .out_ready(out_ready[i])
		);
	end
endmodule
