// Reads the values of a beat as signed numbers of OUT_BITS bits. KIND: 0 unsigned, 1 signed, 2 bipolar (0 is -1, 1 is 1).
// OUT_BITS must hold every value, and 2 or more bits a bipolar one.
module bsk_extend #(
	parameter int unsigned LANES = 1,
	parameter int unsigned IN_BITS = 4,
	parameter int unsigned OUT_BITS = 8,
	parameter int unsigned KIND = 0
)(
	input logic [LANES-1:0][IN_BITS-1:0] in_data,
	output logic [LANES-1:0][OUT_BITS-1:0] out_data
);
	for (genvar i = 0; i < LANES; i++) begin : gen_lane
		if (KIND == 2) begin : gen_bipolar
			assign out_data[i] = {{(OUT_BITS-1){!in_data[i][0]}}, 1'b1};
		end else if (KIND == 1) begin : gen_signed
			assign out_data[i] = OUT_BITS'($signed(in_data[i]));
		end else begin : gen_unsigned
			assign out_data[i] = OUT_BITS'(in_data[i]);
		end
	end
endmodule
