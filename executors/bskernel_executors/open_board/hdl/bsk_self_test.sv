// Sends frames from a memory through the design, and counts those of which an output differs from the expected one.
module bsk_self_test #(
	parameter int unsigned IN_WIDTH = 8, OUT_WIDTH = 16,
	parameter int unsigned OUT_BITS = 16,  // those that carry something
	parameter int unsigned BEATS_IN = 32, BEATS_OUT = 10,  // of a frame
	parameter int unsigned FRAMES = 16,
	parameter IN_FILE = "", OUT_FILE = ""
)(
	input logic clk,
	input logic rst_n,
	input logic start,  // for a cycle

	output logic [IN_WIDTH-1:0] in_data,
	output logic in_valid,
	input logic in_ready,

	input logic [OUT_WIDTH-1:0] out_data,
	input logic out_valid,
	output logic out_ready,

	output logic [15:0] done,  // frames
	output logic [15:0] wrong
);
	localparam int unsigned WORDS_IN = FRAMES * BEATS_IN, WORDS_OUT = FRAMES * BEATS_OUT;
	localparam int unsigned ADDRESS_IN = WORDS_IN > 1 ? $clog2(WORDS_IN) : 1, ADDRESS_OUT = WORDS_OUT > 1 ? $clog2(WORDS_OUT) : 1;
	logic [OUT_BITS-1:0] expected;

	bsk_word_memory #(.WIDTH(IN_WIDTH), .WORDS(WORDS_IN), .FILE(IN_FILE)) frames (
		.clk(clk), .rst_n(rst_n), .write(1'b0), .write_address(ADDRESS_IN'(0)), .write_data(IN_WIDTH'(0)),
		.start(start), .count(($clog2(WORDS_IN + 1))'(WORDS_IN)), .out_data(in_data), .out_valid(in_valid), .out_ready(in_ready)
	);
	bsk_word_memory #(.WIDTH(OUT_BITS), .WORDS(WORDS_OUT), .FILE(OUT_FILE)) outputs (
		.clk(clk), .rst_n(rst_n), .write(1'b0), .write_address(ADDRESS_OUT'(0)), .write_data(OUT_BITS'(0)),
		.start(start), .count(($clog2(WORDS_OUT + 1))'(WORDS_OUT)), .out_data(expected), .out_valid(out_ready),
		.out_ready(out_valid)
	);

	// Two registers: the beat and what is expected of it, then whether they differ.
	logic [OUT_BITS-1:0] got, wanted;
	logic given, compared, differs, spoiled;
	logic [$clog2(BEATS_OUT+1)-1:0] beat;
	wire unused = &{1'b0, out_data};
	always_ff @(posedge clk) begin
		got <= out_data[OUT_BITS-1:0];
		wanted <= expected;
		given <= out_valid && out_ready;
		differs <= got != wanted;
		compared <= given;
		if (compared) begin
			beat <= beat + 1'b1;
			spoiled <= spoiled || differs;
			if (beat == ($clog2(BEATS_OUT+1))'(BEATS_OUT - 1)) begin
				beat <= '0;
				spoiled <= 1'b0;
				done <= done + 1'b1;
				wrong <= wrong + 16'(spoiled || differs);
			end
		end
		if (!rst_n || start) begin
			given <= 1'b0;
			compared <= 1'b0;
			beat <= '0;
			spoiled <= 1'b0;
			done <= '0;
			wrong <= '0;
		end
	end
endmodule
