// Sends the beats of FILE, and waits before a beat in `stall` of 100 cycles.
module stream_source #(
	parameter int unsigned WIDTH = 8,
	parameter int unsigned BEATS = 1,
	parameter int unsigned SEED = 1,
	parameter string FILE = ""
)(
	input logic clk,
	input logic rst_n,
	input logic [6:0] stall,
	output logic [WIDTH-1:0] data,
	output logic valid,
	input logic ready
);
	logic [WIDTH-1:0] beats[BEATS];
	initial $readmemh(FILE, beats);
	int unsigned at;
	logic [31:0] random;

	assign data = valid ? beats[at] : {WIDTH{1'b1}};
	always_ff @(posedge clk) begin
		random <= {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]};
		if (!rst_n) begin
			random <= SEED;
			at <= 0;
			valid <= 1'b0;
		end else begin
			if (valid && ready) at <= at + 1;
			if (!valid || ready) valid <= (at + 32'(valid)) < BEATS && random[15:0] % 100 >= 16'(stall);
		end
	end
endmodule
