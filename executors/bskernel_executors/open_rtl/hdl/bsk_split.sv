// Sends FOLDS[0] beats to stream 0, then FOLDS[1] beats to stream 1, and so on, again and again.
module bsk_split #(
	parameter int unsigned N = 2,
	parameter int unsigned WIDTH = 8,
	parameter logic [N-1:0][31:0] FOLDS = {N{32'd1}}
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
	localparam int unsigned STREAM = N > 1 ? $clog2(N) : 1;
	logic [STREAM-1:0] stream;
	logic [31:0] at;
	logic [N-1:0] free;
	assign in_ready = free[stream];

	always_ff @(posedge clk) begin
		if (!rst_n) begin
			stream <= '0;
			at <= '0;
		end else if (in_valid && in_ready) begin
			if (at == FOLDS[stream] - 1) begin
				at <= '0;
				stream <= stream == STREAM'(N - 1) ? '0 : stream + 1'b1;
			end else begin
				at <= at + 1'b1;
			end
		end
	end

	for (genvar i = 0; i < N; i++) begin : gen_output
		bsk_register #(.WIDTH(WIDTH)) slice (
			.clk, .rst_n,
			.in_data, .in_valid(in_valid && stream == STREAM'(i)), .in_ready(free[i]),
			.out_data(out_data[i]), .out_valid(out_valid[i]), .out_ready(out_ready[i])
		);
	end
endmodule
