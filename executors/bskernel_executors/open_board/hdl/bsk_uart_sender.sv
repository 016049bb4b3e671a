// UART, sending: 8 data bits, no parity, one stop bit.
module bsk_uart_sender #(
	parameter int unsigned DIVISOR = 80  // cycles of a bit
)(
	input logic clk,
	input logic rst_n,

	input logic [7:0] data,
	input logic valid,
	output logic ready,

	output logic tx
);
	logic [$clog2(DIVISOR)-1:0] left;
	logic [3:0] bits;
	logic [8:0] line;

	assign tx = line[0];
	always_ff @(posedge clk) begin
		if (ready) begin
			if (valid) begin
				line <= {data, 1'b0};
				bits <= 4'd9;
				left <= ($clog2(DIVISOR))'(DIVISOR - 1);
				ready <= 1'b0;
			end
		end else if (left != '0) left <= left - 1'b1;
		else begin
			line <= {1'b1, line[8:1]};
			left <= ($clog2(DIVISOR))'(DIVISOR - 1);
			bits <= bits - 1'b1;
			ready <= bits == '0;
		end
		if (!rst_n) begin
			line <= '1;
			ready <= 1'b1;
		end
	end
endmodule
