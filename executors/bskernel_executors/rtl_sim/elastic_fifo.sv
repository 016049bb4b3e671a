// A FIFO for simulations that size FIFOs: it holds at most `limit` values and counts the room that it needed. With a
// limit of `maxcount` the same run is the same in every cycle: a value that comes while another leaves needs room, too.
// A value takes two cycles through it, as through FINN's FIFOs in shift registers and distributed RAM.
module bskernel_elastic_fifo #(
	parameter int unsigned WIDTH = 8
)(
	input wire ap_clk,
	input wire ap_rst_n,
	input wire [31:0] limit,
	input wire [WIDTH-1:0] in0_V_TDATA,
	input wire in0_V_TVALID,
	output wire in0_V_TREADY,
	output wire [WIDTH-1:0] out0_V_TDATA,
	output wire out0_V_TVALID,
	input wire out0_V_TREADY,
	output wire [31:0] count,
	output wire [31:0] maxcount
);
	logic [WIDTH-1:0] waiting[$];
	logic [WIDTH-1:0] front;
	logic valid = 0;
	logic [31:0] held = 0, most = 0;

	wire push = in0_V_TVALID && in0_V_TREADY;
	wire pop = valid && out0_V_TREADY;
	wire [31:0] next = held + 32'(push) - 32'(pop);
	assign in0_V_TREADY = held < limit;
	assign out0_V_TDATA = front;
	assign out0_V_TVALID = valid;
	assign count = held;
	assign maxcount = most;

	always_ff @(posedge ap_clk) begin
		if (!ap_rst_n) begin
			waiting.delete();
			valid <= 0;
			held <= 0;
			most <= 0;
		end else begin
			if (!valid || out0_V_TREADY) begin
				valid <= waiting.size() != 0;
				if (waiting.size() != 0) front <= waiting.pop_front();
			end
			if (push) waiting.push_back(in0_V_TDATA);
			held <= next;
			if (held + 32'(push) > most) most <= held + 32'(push);
		end
	end
endmodule
