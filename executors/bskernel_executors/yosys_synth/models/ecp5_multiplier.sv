// Model of ECP5's multiplier (MULT18X18D), after Lattice's FPGA-TN-02205, without its registers, cascades and operand C.
module bskernel_ecp5_multiplier (
	input [17:0] a, b,
	input signed_a, signed_b,
	output [35:0] p
);
	wire signed [18:0] wide_a = {signed_a && a[17], a}, wide_b = {signed_b && b[17], b};
	wire signed [37:0] product = wide_a * wide_b;
	assign p = product[35:0];
	wire unused = &{1'b0, product[37:36]};
endmodule
