// Sends the indices of the K greatest of LABELS values, the greatest first; of equal values the lowest index is first.
//
// K cells in a row: each keeps the greatest value that it has seen, and passes the others on, a cycle later.
module bsk_label_select #(
	parameter int unsigned LABELS = 4,
	parameter int unsigned PE = 1,
	parameter int unsigned K = 1,
	parameter int unsigned IN_BITS = 4,
	parameter int unsigned IS_SIGNED = 0,
	parameter int unsigned OUT_BITS = 8
)(
	input logic clk,
	input logic rst_n,

	input logic [PE-1:0][IN_BITS-1:0] in_data,
	input logic in_valid,
	output logic in_ready,

	output logic [OUT_BITS-1:0] out_data,
	output logic out_valid,
	input logic out_ready
);
	localparam int unsigned INDEX = LABELS > 1 ? $clog2(LABELS) : 1;
	localparam int unsigned CELL = K > 1 ? $clog2(K) : 1;
	// A key orders as the values do: whether there is one, the value without sign, the index inverted.
	localparam int unsigned KEY = 1 + IN_BITS + INDEX;

	logic step, free;

	logic [INDEX-1:0] base; // index of the beat's first value
	wire last = base == INDEX'(LABELS - PE);
	always_ff @(posedge clk) begin
		if (!rst_n) base <= '0;
		else if (in_valid && in_ready) base <= last ? '0 : base + INDEX'(PE);
	end

	logic [K:0][PE-1:0][KEY-1:0] keys;
	// No bit depends on itself: bit 0 depends on registers only.
	/* verilator lint_off UNOPTFLAT */
	logic [K:0] keys_valid, keys_first, keys_last;
	/* verilator lint_on UNOPTFLAT */
	for (genvar i = 0; i < PE; i++) begin : gen_key
		wire [IN_BITS-1:0] value = IS_SIGNED != 0 ? in_data[i] ^ (IN_BITS'(1) << (IN_BITS - 1)) : in_data[i];
		assign keys[0][i] = {1'b1, value, ~(base + INDEX'(i))};
	end
	// A vector ends only after the one before it has left the cells: its end waits in none of them for a result.
	logic busy;
	always_comb begin
		busy = 1'b0;
		for (int unsigned k = 1; k < K; k++) busy |= keys_valid[k] && keys_last[k];
	end
	wire hold = last && busy;
	assign in_ready = step && !hold;
	assign keys_valid[0] = in_valid && !hold;
	assign keys_first[0] = base == '0;
	assign keys_last[0] = last;

	logic [K-1:0] blocked, found_valid;
	logic [K-1:0][INDEX-1:0] found;
	logic [CELL-1:0] sent;
	wire send = found_valid[sent] && free;
	assign step = blocked == '0;

	for (genvar k = 0; k < K; k++) begin : gen_cell
		logic [KEY-1:0] kept;
		wire [KEY-1:0] held = keys_first[k] ? '0 : kept;

		// A tree over what the cell keeps and what comes: node 0 is the greatest, node PE keeps.
		logic [2*PE:0][KEY-1:0] node;
		assign node[PE] = held;
		for (genvar i = 0; i < PE; i++) begin : gen_tree
			assign node[PE + 1 + i] = keys[k][i];
			assign node[i] = node[2*i + 1] > node[2*i + 2] ? node[2*i + 1] : node[2*i + 2];
			always_ff @(posedge clk) if (step) keys[k + 1][i] <= keys[k][i] == node[0] ? held : keys[k][i];
		end

		wire ends = keys_valid[k] && keys_last[k];
		assign blocked[k] = ends && found_valid[k] && !(send && sent == CELL'(k));
		always_ff @(posedge clk) begin
			if (step) begin
				if (keys_valid[k]) kept <= node[0];
				if (ends) found[k] <= ~node[0][INDEX-1:0];
				keys_first[k + 1] <= keys_first[k];
				keys_last[k + 1] <= keys_last[k];
			end
			if (!rst_n) begin
				keys_valid[k + 1] <= 1'b0;
				found_valid[k] <= 1'b0;
			end else begin
				if (step) keys_valid[k + 1] <= keys_valid[k];
				if (step && ends) found_valid[k] <= 1'b1;
				else if (send && sent == CELL'(k)) found_valid[k] <= 1'b0;
			end
		end
	end
	wire unused = &{1'b0, keys[K], keys_valid[K], keys_first[K], keys_last[K]};

	always_ff @(posedge clk) begin
		if (!rst_n) sent <= '0;
		else if (send) sent <= sent == CELL'(K - 1) ? '0 : sent + 1'b1;
	end

	bsk_register #(.WIDTH(OUT_BITS)) slice (
		.clk, .rst_n,
		.in_data(OUT_BITS'(found[sent])), .in_valid(found_valid[sent]), .in_ready(free),
		.out_data, .out_valid, .out_ready
	);
endmodule
