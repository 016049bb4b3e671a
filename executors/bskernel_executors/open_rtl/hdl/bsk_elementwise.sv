// An operation on two values at a time, one beat per cycle: operands, result and output are registered.
// A constant operand of N_CONSTANT beats is read again and again from INIT_FILE (CONSTANT: 0 none, 1 left, 2 right).
module bsk_elementwise #(
	parameter string OP = "ADD",
	parameter int unsigned PE = 1,
	parameter int unsigned LHS_BITS = 4,
	parameter int unsigned LHS_KIND = 0, // as of bsk_extend
	parameter int unsigned RHS_BITS = 4,
	parameter int unsigned RHS_KIND = 0,
	parameter int unsigned OUT_BITS = 5,
	parameter int unsigned BITS = 6, // of a signed number that holds both operands and the result
	parameter int unsigned CONSTANT = 0,
	parameter int unsigned N_CONSTANT = 1,
	parameter string INIT_FILE = ""
)(
	input logic clk,
	input logic rst_n,

	input logic [PE-1:0][LHS_BITS-1:0] lhs_data,
	input logic lhs_valid,
	output logic lhs_ready,

	input logic [PE-1:0][RHS_BITS-1:0] rhs_data,
	input logic rhs_valid,
	output logic rhs_ready,

	output logic [PE-1:0][OUT_BITS-1:0] out_data,
	output logic out_valid,
	input logic out_ready
);
	logic step;
	wire take = step && lhs_valid && rhs_valid;
	assign lhs_ready = step && rhs_valid;
	assign rhs_ready = step && lhs_valid;

	// First stage: operands.
	logic [PE-1:0][LHS_BITS-1:0] lhs;
	logic [PE-1:0][RHS_BITS-1:0] rhs;
	logic operands_valid, result_valid;
	always_ff @(posedge clk) begin
		if (!rst_n) begin
			operands_valid <= 1'b0;
			result_valid <= 1'b0;
		end else if (step) begin
			operands_valid <= take;
			result_valid <= operands_valid;
		end
	end

	if (CONSTANT == 0) begin : gen_streams
		always_ff @(posedge clk) begin
			if (step) begin
				lhs <= lhs_data;
				rhs <= rhs_data;
			end
		end
	end else begin : gen_constant
		localparam int unsigned WORD = PE * (CONSTANT == 1 ? LHS_BITS : RHS_BITS);
		localparam int unsigned ADDRESS = N_CONSTANT > 1 ? $clog2(N_CONSTANT) : 1;
		logic [WORD-1:0] memory[N_CONSTANT];
		initial $readmemh(INIT_FILE, memory);

		logic [ADDRESS-1:0] at;
		always_ff @(posedge clk) begin
			if (!rst_n) at <= '0;
			else if (take) at <= at == ADDRESS'(N_CONSTANT - 1) ? '0 : at + 1'b1;
		end

		logic [WORD-1:0] word;
		always_ff @(posedge clk) begin
			if (step) word <= memory[at];
		end
		if (CONSTANT == 1) begin : gen_lhs
			wire unused = &{1'b0, lhs_data};
			assign lhs = word;
			always_ff @(posedge clk) if (step) rhs <= rhs_data;
		end else begin : gen_rhs
			wire unused = &{1'b0, rhs_data};
			assign rhs = word;
			always_ff @(posedge clk) if (step) lhs <= lhs_data;
		end
	end

	// Second stage: result.
	logic [PE-1:0][OUT_BITS-1:0] result;
	for (genvar i = 0; i < PE; i++) begin : gen_lane
		logic signed [BITS-1:0] a, b;
		bsk_extend #(.IN_BITS(LHS_BITS), .OUT_BITS(BITS), .KIND(LHS_KIND)) left (.in_data(lhs[i]), .out_data(a));
		bsk_extend #(.IN_BITS(RHS_BITS), .OUT_BITS(BITS), .KIND(RHS_KIND)) right (.in_data(rhs[i]), .out_data(b));

		logic signed [BITS-1:0] y;
		case (OP)
			"ADD": begin : gen_op assign y = a + b; end
			"SUB": begin : gen_op assign y = a - b; end
			"MUL": begin : gen_op assign y = a * b; end
			"ABSDIFF": begin : gen_op assign y = a < b ? b - a : a - b; end
			"MAX": begin : gen_op assign y = a < b ? b : a; end
			"AND": begin : gen_op assign y = BITS'($signed({1'b0, a != 0 && b != 0})); end
			"OR": begin : gen_op assign y = BITS'($signed({1'b0, a != 0 || b != 0})); end
			"XOR": begin : gen_op assign y = BITS'($signed({1'b0, (a != 0) != (b != 0)})); end
			"EQUAL": begin : gen_op assign y = BITS'($signed({1'b0, a == b})); end
			"LESS": begin : gen_op assign y = BITS'($signed({1'b0, a < b})); end
			"LESSOREQUAL": begin : gen_op assign y = BITS'($signed({1'b0, a <= b})); end
			"GREATER": begin : gen_op assign y = BITS'($signed({1'b0, a > b})); end
			"GREATEROREQUAL": begin : gen_op assign y = BITS'($signed({1'b0, a >= b})); end
			"BITWISEAND": begin : gen_op assign y = a & b; end
			"BITWISEOR": begin : gen_op assign y = a | b; end
			"BITWISEXOR": begin : gen_op assign y = a ^ b; end
			"SHIFTLEFT": begin : gen_op assign y = a <<< b; end
			"SHIFTRIGHT": begin : gen_op assign y = a >>> b; end
			default: begin : gen_op $error("unknown operation %s", OP); end
		endcase
		always_ff @(posedge clk) if (step) result[i] <= y[OUT_BITS-1:0];

		// Bits that the data type of the result does not need.
		if (BITS > OUT_BITS) begin : gen_rest
			wire unused = &{1'b0, y[BITS-1:OUT_BITS]};
		end
	end

	bsk_register #(.WIDTH(PE * OUT_BITS)) slice (
		.clk, .rst_n,
		.in_data(result), .in_valid(result_valid), .in_ready(step),
		.out_data, .out_valid, .out_ready
	);
endmodule
