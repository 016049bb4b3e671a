// Sends FOLDS[0] beats of stream 0, then FOLDS[1] beats of stream 1, and so on, again and again.
module bsk_concat #(
	parameter int unsigned N = 2,
	parameter int unsigned WIDTH = 8,
	parameter logic [N-1:0][31:0] FOLDS = {N{32'd1}}
)(
	input logic clk,
	input logic rst_n,

	input logic [N-1:0][WIDTH-1:0] in_data,
	input logic [N-1:0] in_valid,
	output logic [N-1:0] in_ready,

	output logic [WIDTH-1:0] out_data,
	output logic out_valid,
	input logic out_ready
);
	localparam int unsigned STREAM = N > 1 ? $clog2(N) : 1;
	logic [STREAM-1:0] stream;
	logic [31:0] at;
	logic free;

	always_ff @(posedge clk) begin
		if (!rst_n) begin
			stream <= '0;
			at <= '0;
		end else if (in_valid[stream] && free) begin
			if (at == FOLDS[stream] - 1) begin
				at <= '0;
				stream <= stream == STREAM'(N - 1) ? '0 : stream + 1'b1;
			end else begin
				at <= at + 1'b1;
			end
		end
	end

	for (genvar i = 0; i < N; i++) begin : gen_input
		assign in_ready[i] = free && stream == STREAM'(i);
	end

	bsk_register #(.WIDTH(WIDTH)) slice (
		.clk, .rst_n,
		.in_data(in_data[stream]), .in_valid(in_valid[stream]), .in_ready(free),
		.out_data, .out_valid, .out_ready
	);
endmodule
