// Sends the word of a table that each beat names by its index.
module bsk_lookup #(
	parameter int unsigned INDEX_BITS = 4,
	parameter int unsigned WIDTH = 8,
	parameter int unsigned DEPTH = 16,
	parameter string INIT_FILE = ""
)(
	input logic clk,
	input logic rst_n,

	input logic [INDEX_BITS-1:0] in_data,
	input logic in_valid,
	output logic in_ready,

	output logic [WIDTH-1:0] out_data,
	output logic out_valid,
	input logic out_ready
);
	localparam int unsigned ADDRESS = DEPTH > 1 ? $clog2(DEPTH) : 1;
	logic [WIDTH-1:0] memory[DEPTH];
	initial $readmemh(INIT_FILE, memory);

	logic [WIDTH-1:0] word;
	logic word_valid;
	always_ff @(posedge clk) begin
		if (in_ready) word <= memory[ADDRESS'(in_data)];
		if (!rst_n) word_valid <= 1'b0;
		else if (in_ready) word_valid <= in_valid;
	end
	if (INDEX_BITS > ADDRESS) begin : gen_rest
		wire unused = &{1'b0, in_data[INDEX_BITS-1:ADDRESS]};
	end

	bsk_register #(.WIDTH(WIDTH)) slice (
		.clk, .rst_n,
		.in_data(word), .in_valid(word_valid), .in_ready(in_ready),
		.out_data, .out_valid, .out_ready
	);
endmodule
