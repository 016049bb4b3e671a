// A memory that is written word by word, and read as a stream of its first `count` words: a word per cycle, with a register
// behind the memory.
module bsk_word_memory #(
	parameter int unsigned WIDTH = 8,
	parameter int unsigned WORDS = 512,
	parameter FILE = "",  // the content to begin with, for $readmemh; none
	localparam int unsigned ADDRESS = WORDS > 1 ? $clog2(WORDS) : 1,
	localparam int unsigned COUNT = $clog2(WORDS + 1)
)(
	input logic clk,
	input logic rst_n,

	input logic write,
	input logic [ADDRESS-1:0] write_address,
	input logic [WIDTH-1:0] write_data,

	input logic start,  // for a cycle: begin to read
	input logic [COUNT-1:0] count,

	output logic [WIDTH-1:0] out_data,
	output logic out_valid,
	input logic out_ready
);
	logic [WIDTH-1:0] memory [WORDS];
	if (FILE != "") begin : g_content
		initial $readmemh(FILE, memory);
	end
	logic [WIDTH-1:0] fetched;
	logic fetched_valid;
	logic [ADDRESS-1:0] address;
	logic [COUNT-1:0] left;
	wire take = !out_valid || out_ready, fetch = !fetched_valid || take;

	always_ff @(posedge clk) begin
		if (write) memory[write_address] <= write_data;
		if (fetch) fetched <= memory[address];
		if (take) out_data <= fetched;
	end

	always_ff @(posedge clk) begin
		if (take) out_valid <= fetched_valid;
		if (fetch) begin
			fetched_valid <= left != '0;
			if (left != '0) begin
				left <= left - 1'b1;
				address <= address + 1'b1;
			end
		end
		if (start) begin
			address <= '0;
			left <= count;
		end
		if (!rst_n || start) begin
			fetched_valid <= 1'b0;
			out_valid <= 1'b0;
		end
		if (!rst_n) left <= '0;
	end
endmodule
