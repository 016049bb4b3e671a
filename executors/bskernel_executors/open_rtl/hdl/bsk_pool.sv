// Reduces each window of WINDOW beats to one beat: the maximum, or the sum shifted right. One beat in per cycle.
module bsk_pool #(
	parameter string OP = "MAX", // or SUM
	parameter int unsigned PE = 1,
	parameter int unsigned WINDOW = 4,
	parameter int unsigned IN_BITS = 4,
	parameter int unsigned IN_KIND = 0, // as of bsk_extend
	parameter int unsigned BITS = 5, // of a signed number that holds every value and every sum
	parameter int unsigned SHIFT = 0,
	parameter int unsigned OUT_BITS = 4
)(
	input logic clk,
	input logic rst_n,

	input logic [PE-1:0][IN_BITS-1:0] in_data,
	input logic in_valid,
	output logic in_ready,

	output logic [PE-1:0][OUT_BITS-1:0] out_data,
	output logic out_valid,
	input logic out_ready
);
	localparam int unsigned COUNT = WINDOW > 1 ? $clog2(WINDOW) : 1;
	logic [COUNT-1:0] at;
	logic free;
	wire first = at == '0;
	wire last = at == COUNT'(WINDOW - 1);
	assign in_ready = !last || free;

	always_ff @(posedge clk) begin
		if (!rst_n) at <= '0;
		else if (in_valid && in_ready) at <= last ? '0 : at + 1'b1;
	end

	logic [PE-1:0][OUT_BITS-1:0] result;
	for (genvar i = 0; i < PE; i++) begin : gen_lane
		logic signed [BITS-1:0] value, so_far, now;
		bsk_extend #(.IN_BITS(IN_BITS), .OUT_BITS(BITS), .KIND(IN_KIND)) extend (
			.in_data(in_data[i]), .out_data(value)
		);
		case (OP)
			"MAX": begin : gen_op assign now = first || so_far < value ? value : so_far; end
			"SUM": begin : gen_op assign now = first ? value : so_far + value; end
			default: begin : gen_op $error("unknown operation %s", OP); end
		endcase
		always_ff @(posedge clk) if (in_valid && in_ready) so_far <= now;
		wire signed [BITS-1:0] shifted = now >>> SHIFT;
		assign result[i] = shifted[OUT_BITS-1:0];

		// Bits that the data type of the result does not need.
		if (BITS > OUT_BITS) begin : gen_rest
			wire unused = &{1'b0, shifted[BITS-1:OUT_BITS]};
		end
	end

	bsk_register #(.WIDTH(PE * OUT_BITS)) slice (
		.clk, .rst_n,
		.in_data(result), .in_valid(in_valid && last), .in_ready(free),
		.out_data, .out_valid, .out_ready
	);
endmodule
