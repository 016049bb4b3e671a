// Releases a reset in the clock's domain: low at once when `ready` (of the PLL, or a button) falls, high LENGTH cycles after
// it rose.
module bsk_reset #(
	parameter int unsigned LENGTH = 64
)(
	input logic clk,
	input logic ready,
	output logic rst_n
);
	logic [1:0] safe = '0;
	logic [$clog2(LENGTH+1)-1:0] passed = '0;
	initial rst_n = 1'b0;

	always_ff @(posedge clk, negedge ready) begin
		if (!ready) safe <= '0;
		else safe <= {safe[0], 1'b1};
	end
	always_ff @(posedge clk) begin
		if (!safe[1]) passed <= '0;
		else if (passed != ($clog2(LENGTH+1))'(LENGTH)) passed <= passed + 1'b1;
		rst_n <= safe[1] && passed == ($clog2(LENGTH+1))'(LENGTH);
	end
endmodule
