// Finds packets in bytes: A5 5A kind sequence length[3] payload crc[2], numbers from their lowest byte, the checksum over
// what stands between A5 5A and it. What is no packet is skipped. A packet that is too long, or that pauses, is given up.
module bsk_packet_receiver #(
	parameter int unsigned MOST = 512,  // bytes of a payload
	parameter int unsigned PAUSE = 1_000_000  // cycles without a byte
)(
	input logic clk,
	input logic rst_n,
	input logic hold,  // skip everything

	input logic [7:0] in_data,
	input logic in_valid,  // for a cycle, with at least one cycle between two bytes

	output logic begun,  // for a cycle, before the payload
	output logic [7:0] kind,
	output logic [7:0] sequence_number,
	output logic [7:0] payload,
	output logic payload_valid,
	output logic good,  // for a cycle, after the packet: the checksum is right
	output logic bad  // for a cycle: the checksum is wrong, or the packet paused
);
	typedef enum logic [2:0] {FIRST, SECOND, HEAD, PAYLOAD, LOW, HIGH} state_t;
	state_t state;
	logic [2:0] at;
	logic [23:0] length;
	logic [15:0] crc;
	logic low_right;
	logic [$clog2(PAUSE+1)-1:0] quiet;
	wire in_packet = state != FIRST && state != SECOND;
	wire [23:0] whole_length = {in_data, length[23:8]};

	bsk_crc16 sum (
		.clk(clk), .clear(!in_packet), .enable(in_valid && (state == HEAD || state == PAYLOAD)), .data(in_data), .crc(crc)
	);

	always_ff @(posedge clk) begin
		begun <= 1'b0;
		payload_valid <= 1'b0;
		good <= 1'b0;
		bad <= 1'b0;
		payload <= in_data;
		quiet <= in_valid || !in_packet ? '0 : quiet + 1'b1;
		if (in_valid) case (state)
			FIRST: if (in_data == 8'hA5) state <= SECOND;
			SECOND: begin
				state <= in_data == 8'h5A ? HEAD : in_data == 8'hA5 ? SECOND : FIRST;
				at <= '0;
			end
			HEAD: begin
				at <= at + 1'b1;
				if (at == 3'd0) kind <= in_data;
				if (at == 3'd1) sequence_number <= in_data;
				if (at >= 3'd2) length <= whole_length;
				if (at == 3'd4) begin
					begun <= whole_length <= 24'(MOST);
					state <= whole_length > 24'(MOST) ? FIRST : whole_length == '0 ? LOW : PAYLOAD;
				end
			end
			PAYLOAD: begin
				payload_valid <= 1'b1;
				length <= length - 1'b1;
				if (length == 24'd1) state <= LOW;
			end
			LOW: begin
				low_right <= in_data == crc[7:0];
				state <= HIGH;
			end
			default: begin  // HIGH
				good <= low_right && in_data == crc[15:8];
				bad <= !(low_right && in_data == crc[15:8]);
				state <= FIRST;
			end
		endcase
		else if (quiet == ($clog2(PAUSE+1))'(PAUSE)) begin
			bad <= state == PAYLOAD || state == LOW || state == HIGH;
			state <= FIRST;
		end
		if (!rst_n || hold) begin
			state <= FIRST;
			begun <= 1'b0;
			payload_valid <= 1'b0;
			good <= 1'b0;
			bad <= 1'b0;
		end
	end
endmodule
