// Repeats each pixel of FOLDS beats X times, and each row of PIXELS pixels Y times. One beat out per cycle.
module bsk_upsample #(
	parameter int unsigned WIDTH = 8,
	parameter int unsigned FOLDS = 1,
	parameter int unsigned PIXELS = 4,
	parameter int unsigned X = 2,
	parameter int unsigned Y = 2
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
	// What is repeated later: a row, or a pixel if rows are not repeated.
	localparam int unsigned DEPTH = Y > 1 ? PIXELS * FOLDS : FOLDS;
	localparam int unsigned ADDRESS = DEPTH > 1 ? $clog2(DEPTH) : 1;
	logic [ADDRESS-1:0] base; // of the pixel
	logic [31:0] fold, pixel, x, y;
	logic step, sent_valid, is_new;

	wire is_first = x == 0 && y == 0;
	wire go = step && (!is_first || in_valid);
	assign in_ready = step && is_first;

	always_ff @(posedge clk) begin
		if (!rst_n) begin
			{fold, pixel, x, y} <= '0;
			base <= '0;
		end else if (go) begin
			fold <= fold + 1;
			if (fold == FOLDS - 1) begin
				fold <= '0;
				x <= x + 1;
				if (x == X - 1) begin
					x <= '0;
					pixel <= pixel + 1;
					if (Y > 1) base <= base + ADDRESS'(FOLDS);
					if (pixel == PIXELS - 1) begin
						pixel <= '0;
						base <= '0;
						y <= y == Y - 1 ? '0 : y + 1;
					end
				end
			end
		end
	end

	logic [WIDTH-1:0] memory[DEPTH];
	wire [ADDRESS-1:0] at = base + ADDRESS'(fold);
	always_ff @(posedge clk) if (go && is_first) memory[at] <= in_data;

	logic [WIDTH-1:0] fresh, stored;
	always_ff @(posedge clk) begin
		if (step) begin
			stored <= memory[at];
			fresh <= in_data;
			is_new <= is_first;
		end
		if (!rst_n) sent_valid <= 1'b0;
		else if (step) sent_valid <= go;
	end

	bsk_register #(.WIDTH(WIDTH)) slice (
		.clk, .rst_n,
		.in_data(is_new ? fresh : stored), .in_valid(sent_valid), .in_ready(step),
		.out_data, .out_valid, .out_ready
	);
endmodule
