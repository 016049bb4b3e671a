// Puts X - 1 zero pixels between the PIXELS pixels of a row, and Y - 1 rows of zeros between ROWS rows.
module bsk_pixel_padding #(
	parameter int unsigned WIDTH = 8,
	parameter int unsigned FOLDS = 1,
	parameter int unsigned PIXELS = 4,
	parameter int unsigned ROWS = 4,
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
	logic [31:0] fold, pixel, row, x, y;
	logic free;
	wire is_pixel = x == 0 && y == 0;
	wire valid = !is_pixel || in_valid;
	assign in_ready = free && is_pixel;

	always_ff @(posedge clk) begin
		if (!rst_n) begin
			{fold, pixel, row, x, y} <= '0;
		end else if (valid && free) begin
			fold <= fold + 1;
			if (fold == FOLDS - 1) begin
				fold <= '0;
				x <= x == X - 1 ? '0 : x + 1;
				if (x == 0) pixel <= pixel + 1;
				// The last pixel of a row is followed by no zeros, and so is the last row.
				if (x == 0 && pixel == PIXELS - 1) begin
					{pixel, x} <= '0;
					y <= y == Y - 1 ? '0 : y + 1;
					if (y == 0) row <= row + 1;
					if (y == 0 && row == ROWS - 1) {row, y} <= '0;
				end
			end
		end
	end

	bsk_register #(.WIDTH(WIDTH)) slice (
		.clk, .rst_n,
		.in_data(is_pixel ? in_data : '0), .in_valid(valid), .in_ready(free),
		.out_data, .out_valid, .out_ready
	);
endmodule
