// Model of an iCE40's logic cell as nextpnr-ice40 configures it, for the cycle simulation of a routed netlist. It does
// what Yosys' own model does (share/ice40/cells_sim.v), but for what a network does not use, which stops the simulation.

module ICESTORM_LC #(
	parameter [15:0] LUT_INIT = 0,
	parameter [0:0] NEG_CLK = 0, CARRY_ENABLE = 0, DFF_ENABLE = 0, SET_NORESET = 0, ASYNC_SR = 0,
	parameter [0:0] CIN_CONST = 0, CIN_SET = 0
)(
	input I0, I1, I2, I3, CIN, CLK, CEN, SR,
	output LO, O, COUT
);
	initial if (NEG_CLK || ASYNC_SR) $fatal(1, "the model of ICESTORM_LC has no falling edge and no asynchronous reset");
	wire carry = CIN_CONST ? CIN_SET : CIN;
	wire found = LUT_INIT[{I3, I2, I1, I0}];
	assign COUT = CARRY_ENABLE && ((I1 && I2) || ((I1 || I2) && carry));
	assign LO = found;
	if (DFF_ENABLE) begin : stored
		reg value = 0;
		always @(posedge CLK) if (CEN) value <= SR ? SET_NORESET : found;
		assign O = value;
	end else begin : direct
		assign O = found;
	end
endmodule
