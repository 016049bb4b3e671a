// Sums of products of the input and weights: one beat in SIMD positions of PE sums per cycle, FOLDS beats per sum.
// With SHARED, all sums take the same input: a vector of FOLDS beats is kept and used again for ROWS groups of PE sums.
// Otherwise each lane of the input has a sum of its own, and ROWS groups of PE lanes follow one another.
module bsk_dot_product #(
	parameter int unsigned PE = 2,
	parameter int unsigned SIMD = 3,
	parameter int unsigned FOLDS = 3,
	parameter int unsigned ROWS = 2,
	parameter bit SHARED = 1,
	parameter int unsigned IN_BITS = 4,
	parameter int unsigned IN_KIND = 0, // as of bsk_extend
	parameter int unsigned WEIGHT_BITS = 4,
	parameter int unsigned WEIGHT_KIND = 1,
	parameter bit AGREE = 0, // count equal bits: input and weights have one bit
	parameter int unsigned OUT_BITS = 12, // must hold every sum; partial sums may wrap
	parameter string INIT_FILE = "", // words of PE * SIMD weights, in the order of use
	// Memory of the weights, in the words of Vivado. Verilator reads no attributes, so it sees no use of it.
	// verilator lint_off UNUSEDPARAM
	parameter RAM_STYLE = "auto"
	// verilator lint_on UNUSEDPARAM
)(
	input logic clk,
	input logic rst_n,

	input logic [(SHARED ? 1 : PE) * SIMD * IN_BITS - 1:0] in_data, // lane by lane within each position
	input logic in_valid,
	output logic in_ready,

	output logic [PE-1:0][OUT_BITS-1:0] out_data,
	output logic out_valid,
	input logic out_ready
);
	localparam int unsigned LANES = SHARED ? 1 : PE;
	localparam int unsigned WORDS = ROWS * FOLDS;
	localparam int unsigned ADDRESS = WORDS > 1 ? $clog2(WORDS) : 1;
	localparam int unsigned FOLD = FOLDS > 1 ? $clog2(FOLDS) : 1;
	localparam int unsigned X = IN_BITS + (IN_KIND == 1 ? 0 : 1);
	localparam int unsigned W = WEIGHT_BITS + (WEIGHT_KIND == 1 ? 0 : 1);

	// Stage 0: choose the input and the weights.
	logic [ADDRESS-1:0] at;
	logic [FOLD-1:0] fold;
	logic is_replay, step;
	wire go = step && (is_replay || in_valid);
	wire is_last = fold == FOLD'(FOLDS - 1);
	wire is_end = at == ADDRESS'(WORDS - 1);
	assign in_ready = step && !is_replay;

	always_ff @(posedge clk) begin
		if (!rst_n) begin
			at <= '0;
			fold <= '0;
		end else if (go) begin
			at <= is_end ? '0 : at + 1'b1;
			fold <= is_last ? '0 : fold + 1'b1;
		end
	end

	// Stage 1: read both.
	(* RAM_STYLE = RAM_STYLE *) logic [PE-1:0][SIMD-1:0][WEIGHT_BITS-1:0] memory[WORDS];
	initial $readmemh(INIT_FILE, memory);
	logic [PE-1:0][SIMD-1:0][WEIGHT_BITS-1:0] weights;
	logic [SIMD-1:0][LANES-1:0][IN_BITS-1:0] fresh, values;
	logic first_read, last_read, valid_read;
	always_ff @(posedge clk) begin
		if (step) begin
			weights <= memory[at];
			fresh <= in_data;
			first_read <= fold == '0;
			last_read <= is_last;
		end
		if (!rst_n) valid_read <= 1'b0;
		else if (step) valid_read <= go;
	end

	if (SHARED && ROWS > 1) begin : gen_replay
		logic [SIMD-1:0][LANES-1:0][IN_BITS-1:0] kept[FOLDS];
		logic [SIMD-1:0][LANES-1:0][IN_BITS-1:0] stored;
		logic was_replay;
		always_ff @(posedge clk) begin
			if (go && !is_replay) kept[fold] <= in_data;
			if (step) begin
				stored <= kept[fold];
				was_replay <= is_replay;
			end
			if (!rst_n) is_replay <= 1'b0;
			else if (go && is_last) is_replay <= !is_end;
		end
		assign values = was_replay ? stored : fresh;
	end else begin : gen_direct
		assign is_replay = 1'b0;
		assign values = fresh;
	end

	// Stage 2: multiply, and add the products of a beat. Stage 3: add the beats of a sum.
	logic first_beat, last_beat, valid_beat, valid_sum;
	logic [PE-1:0][OUT_BITS-1:0] sums;
	logic free;
	assign step = !valid_sum || free;
	always_ff @(posedge clk) begin
		if (step) begin
			first_beat <= first_read;
			last_beat <= last_read;
		end
		if (!rst_n) begin
			valid_beat <= 1'b0;
			valid_sum <= 1'b0;
		end else if (step) begin
			valid_beat <= valid_read;
			valid_sum <= valid_beat && last_beat;
		end
	end

	for (genvar pe = 0; pe < PE; pe++) begin : gen_sum
		logic [SIMD-1:0][IN_BITS-1:0] lane;
		for (genvar i = 0; i < SIMD; i++) begin : gen_lane
			assign lane[i] = values[i][SHARED ? 0 : pe];
		end
		logic [OUT_BITS-1:0] beat, products;
		if (AGREE) begin : gen_agree
			always_comb begin
				products = '0;
				for (int unsigned i = 0; i < SIMD; i++) products = products + OUT_BITS'(lane[i] == weights[pe][i]);
			end
		end else begin : gen_multiply
			logic [SIMD-1:0][X-1:0] x;
			logic [SIMD-1:0][W-1:0] w;
			bsk_extend #(.LANES(SIMD), .IN_BITS(IN_BITS), .OUT_BITS(X), .KIND(IN_KIND)) extend_x (
				.in_data(lane), .out_data(x)
			);
			bsk_extend #(.LANES(SIMD), .IN_BITS(WEIGHT_BITS), .OUT_BITS(W), .KIND(WEIGHT_KIND)) extend_w (
				.in_data(weights[pe]), .out_data(w)
			);
			always_comb begin
				products = '0;
				for (int unsigned i = 0; i < SIMD; i++)
					products = products + OUT_BITS'((X + W)'($signed(x[i])) * (X + W)'($signed(w[i])));
			end
		end
		always_ff @(posedge clk) begin
			if (step) begin
				beat <= products;
				if (valid_beat) sums[pe] <= first_beat ? beat : sums[pe] + beat;
			end
		end
	end

	bsk_register #(.WIDTH(PE * OUT_BITS)) slice (
		.clk, .rst_n,
		.in_data(sums), .in_valid(valid_sum), .in_ready(free),
		.out_data, .out_valid, .out_ready
	);
endmodule
