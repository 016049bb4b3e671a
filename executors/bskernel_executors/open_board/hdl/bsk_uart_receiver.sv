// UART, receiving: 8 data bits, no parity, a stop bit of 1; a byte without that is dropped.
module bsk_uart_receiver #(
	parameter int unsigned DIVISOR = 80  // cycles of a bit, at least 4
)(
	input logic clk,
	input logic rst_n,
	input logic rx,

	output logic [7:0] data,
	output logic valid  // for a cycle
);
	typedef enum logic [2:0] {WAIT, START, DATA, STOP, LOW} state_t;
	state_t state;
	logic [2:0] line;  // synchronised by the first two
	logic [$clog2(DIVISOR)-1:0] left;
	logic [2:0] bits;

	always_ff @(posedge clk) begin
		line <= {line[1:0], rx};
		valid <= 1'b0;
		left <= left == '0 ? ($clog2(DIVISOR))'(DIVISOR - 1) : left - 1'b1;
		case (state)
			WAIT: if (!line[2]) begin
				state <= START;
				left <= ($clog2(DIVISOR))'(DIVISOR / 2 - 1);
			end
			START: if (left == '0) begin
				state <= line[2] ? WAIT : DATA;
				bits <= '0;
			end
			DATA: if (left == '0) begin
				data <= {line[2], data[7:1]};
				bits <= bits + 1'b1;
				if (bits == 3'd7) state <= STOP;
			end
			STOP: if (left == '0) begin
				valid <= line[2];
				state <= line[2] ? WAIT : LOW;
			end
			default: if (line[2]) state <= WAIT;  // LOW
		endcase
		if (!rst_n) begin
			state <= LOW;
			line <= '0;
			valid <= 1'b0;
		end
	end
endmodule
