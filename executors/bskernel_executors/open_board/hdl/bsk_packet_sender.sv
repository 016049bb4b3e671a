// Makes a packet of bytes, in the form that bsk_packet_receiver takes.
module bsk_packet_sender (
	input logic clk,
	input logic rst_n,

	input logic start,  // for a cycle, when not busy
	input logic [7:0] kind,
	input logic [7:0] sequence_number,
	input logic [23:0] length,
	output logic busy,

	input logic [7:0] payload,
	input logic payload_valid,
	output logic payload_ready,

	output logic [7:0] out_data,
	output logic out_valid,
	input logic out_ready
);
	typedef enum logic [1:0] {IDLE, HEAD, PAYLOAD, SUM} state_t;
	state_t state;
	logic [6:0][7:0] head;
	logic [2:0] at;
	logic [23:0] left;
	logic [15:0] crc;
	logic last;  // the checksum's second byte is on its way
	wire room = !out_valid;  // so that the checksum is up to date when its turn comes

	assign payload_ready = state == PAYLOAD && room;
	assign busy = state != IDLE || out_valid;
	bsk_crc16 sum (
		.clk(clk), .clear(state == IDLE || state == HEAD && at < 3'd2),
		.enable(room && (state == HEAD || payload_ready && payload_valid)),
		.data(state == HEAD ? head[0] : payload), .crc(crc)
	);

	always_ff @(posedge clk) begin
		if (out_ready) out_valid <= 1'b0;
		case (state)
			IDLE: if (start) begin
				head <= {length, sequence_number, kind, 8'h5A, 8'hA5};
				left <= length;
				at <= '0;
				last <= 1'b0;
				state <= HEAD;
			end
			HEAD: if (room) begin
				out_data <= head[0];
				out_valid <= 1'b1;
				head <= {8'd0, head[6:1]};
				at <= at + 1'b1;
				if (at == 3'd6) state <= left == '0 ? SUM : PAYLOAD;
			end
			PAYLOAD: if (room && payload_valid) begin
				out_data <= payload;
				out_valid <= 1'b1;
				left <= left - 1'b1;
				if (left == 24'd1) state <= SUM;
			end
			default: if (room) begin  // SUM
				out_data <= last ? crc[15:8] : crc[7:0];
				out_valid <= 1'b1;
				last <= 1'b1;
				if (last) state <= IDLE;
			end
		endcase
		if (!rst_n) begin
			state <= IDLE;
			out_valid <= 1'b0;
		end
	end
endmodule
