// Takes beats, compares them with FILE, and checks that the stream keeps the rules of AXI. Prints the end of each frame.
module stream_sink #(
	parameter int unsigned WIDTH = 8,
	parameter int unsigned BEATS = 1,
	parameter int unsigned FRAME = 1,
	parameter int unsigned SEED = 1,
	parameter int unsigned CASE = 0,
	parameter int unsigned STREAM = 0,
	parameter string FILE = ""
)(
	input logic clk,
	input logic rst_n,
	input logic [6:0] stall,
	input int unsigned cycle,
	input logic [WIDTH-1:0] data,
	input logic valid,
	output logic ready,
	output logic done
);
	logic [WIDTH-1:0] beats[BEATS];
	initial $readmemh(FILE, beats);
	int unsigned at;
	logic [31:0] random;
	logic waiting;
	logic [WIDTH-1:0] held;

	assign done = at == BEATS;
	always_ff @(posedge clk) begin
		random <= {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]};
		waiting <= rst_n && valid && !ready;
		held <= data;
		if (!rst_n) begin
			random <= SEED;
			at <= 0;
			ready <= 1'b0;
		end else begin
			ready <= random[15:0] % 100 >= 16'(stall);
			if (waiting && (!valid || data != held)) begin
				$display("wrong %0d %0d: it withdrew or changed beat %0d", CASE, STREAM, at);
				$finish;
			end
			if (valid && ready) begin
				if (done) begin
					$display("wrong %0d %0d: more than %0d beats", CASE, STREAM, BEATS);
					$finish;
				end else if (data != beats[at]) begin
					$display("wrong %0d %0d: beat %0d is %h, not %h", CASE, STREAM, at, data, beats[at]);
					$finish;
				end
				if ((at + 1) % FRAME == 0) $display("end %0d %0d %0d", CASE, STREAM, cycle);
				at <= at + 1;
			end
		end
	end
endmodule
