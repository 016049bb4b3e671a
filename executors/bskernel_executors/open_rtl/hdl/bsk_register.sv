// A register slice: two entries, full throughput. Neither valid, data nor ready passes through combinationally.
module bsk_register #(
	parameter int unsigned WIDTH = 8
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
	logic [WIDTH-1:0] spare;
	logic spare_valid;

	assign in_ready = !spare_valid;

	always_ff @(posedge clk) begin
		if (!rst_n) begin
			out_valid <= 1'b0;
			spare_valid <= 1'b0;
		end else if (out_ready || !out_valid) begin
			out_valid <= spare_valid || in_valid;
			spare_valid <= 1'b0;
		end else if (in_valid) begin
			spare_valid <= 1'b1;
		end
	end

	always_ff @(posedge clk) begin
		if (out_ready || !out_valid) out_data <= spare_valid ? spare : in_data;
		if (!spare_valid) spare <= in_data;
	end
endmodule
