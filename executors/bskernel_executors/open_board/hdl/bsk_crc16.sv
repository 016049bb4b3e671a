// CRC-16 of bytes: polynomial 0x1021, from 0xFFFF, highest bit first (CRC-16/IBM-3740).
module bsk_crc16 (
	input logic clk,
	input logic clear,
	input logic enable,
	input logic [7:0] data,
	output logic [15:0] crc
);
	function automatic logic [15:0] advance(input logic [15:0] from, input logic [7:0] by);
		advance = from ^ {by, 8'd0};
		for (int unsigned at = 0; at < 8; at++) advance = {advance[14:0], 1'b0} ^ (advance[15] ? 16'h1021 : 16'h0);
	endfunction

	always_ff @(posedge clk) begin
		if (clear) crc <= '1;
		else if (enable) crc <= advance(crc, data);
	end
endmodule
