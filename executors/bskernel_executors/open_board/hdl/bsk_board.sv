// A board around a stitched design: frames come in and results go out over a UART. README.md of this folder has the requests
// and answers. The frames of a request are stored first and streamed at full speed, so the cycles that are counted are
// those of the design, whatever the UART takes.
module bsk_board #(
	parameter int unsigned CLOCK_HZ = 25_000_000,
	parameter int unsigned DIVISOR = 25,  // cycles of a bit of the UART
	parameter int unsigned IN_WIDTH = 8, OUT_WIDTH = 16,  // bits of a beat: whole bytes
	parameter int unsigned OUT_BITS = 16,  // those of an output's beat that carry something
	parameter int unsigned BEATS_IN = 32, BEATS_OUT = 10,  // of a frame
	parameter int unsigned FRAMES = 16,  // most frames of a request
	parameter bit [63:0] IDENTITY = 0,
	parameter int unsigned PAUSE = 2_000_000,  // cycles without a byte, after which a request is given up
	parameter int unsigned PATIENCE = 1_000_000,  // cycles without a beat, after which the design is given up
	parameter int unsigned TEST_FRAMES = 0,  // of the self-test; 0: none
	parameter IN_FILE = "", OUT_FILE = ""
)(
	input logic clk,
	input logic rst_n,
	input logic rx,
	output logic tx,
	output logic busy,
	output logic passed,  // the self-test
	output logic failed,

	// The design
	output logic design_rst_n,
	output logic [IN_WIDTH-1:0] in_data,
	output logic in_valid,
	input logic in_ready,
	input logic [OUT_WIDTH-1:0] out_data,
	input logic out_valid,
	output logic out_ready
);
	localparam int unsigned IN_BYTES = IN_WIDTH / 8, OUT_BYTES = OUT_WIDTH / 8;
	localparam int unsigned WORDS_IN = FRAMES * BEATS_IN, WORDS_OUT = FRAMES * BEATS_OUT;
	localparam int unsigned ADDRESS_IN = WORDS_IN > 1 ? $clog2(WORDS_IN) : 1, ADDRESS_OUT = WORDS_OUT > 1 ? $clog2(WORDS_OUT) : 1;
	localparam int unsigned COUNT_IN = $clog2(WORDS_IN + 1), COUNT_OUT = $clog2(WORDS_OUT + 1);
	localparam logic [7:0] VERSION = 8'd1;
	localparam int unsigned FACTS = 23;  // bytes of the longest answer without results

	// Bytes and packets
	logic [7:0] received, kind, sequence_number, payload;
	logic received_valid, begun, payload_valid, good, bad, hold;
	bsk_uart_receiver #(.DIVISOR(DIVISOR)) receiver (
		.clk(clk), .rst_n(rst_n), .rx(rx), .data(received), .valid(received_valid)
	);
	bsk_packet_receiver #(.MOST(WORDS_IN * IN_BYTES), .PAUSE(PAUSE)) packets_in (
		.clk(clk), .rst_n(rst_n), .hold(hold), .in_data(received), .in_valid(received_valid), .begun(begun), .kind(kind),
		.sequence_number(sequence_number), .payload(payload), .payload_valid(payload_valid), .good(good), .bad(bad)
	);
	logic [7:0] answer, result_byte, sent;
	logic answer_start, answer_busy, result_valid, answer_ready, sent_valid, sent_ready;
	logic [23:0] answer_length;
	logic [FACTS-1:0][7:0] facts;
	logic [4:0] facts_left;
	wire with_facts = facts_left != '0;
	bsk_packet_sender packets_out (
		.clk(clk), .rst_n(rst_n), .start(answer_start), .kind(answer), .sequence_number(sequence_number),
		.length(answer_length), .busy(answer_busy), .payload(with_facts ? facts[0] : result_byte),
		.payload_valid(with_facts || result_valid), .payload_ready(answer_ready), .out_data(sent), .out_valid(sent_valid),
		.out_ready(sent_ready)
	);
	bsk_uart_sender #(.DIVISOR(DIVISOR)) sender (
		.clk(clk), .rst_n(rst_n), .data(sent), .valid(sent_valid), .ready(sent_ready), .tx(tx)
	);

	typedef enum logic [2:0] {RESET, IDLE, RUN, ANSWER, SENDING} state_t;
	state_t state;
	logic testing;
	logic run;  // for a cycle: the frames start

	// Frames: bytes to beats, stored. Whether a request ends with a frame shows in the two counters.
	logic [IN_WIDTH-1:0] word;
	logic [$clog2(IN_BYTES+1)-1:0] word_bytes;
	logic [$clog2(BEATS_IN+1)-1:0] frame_beats;
	logic [COUNT_IN-1:0] words_in;
	logic [COUNT_OUT-1:0] words_out;
	logic store;
	wire whole = word_bytes == '0 && frame_beats == '0 && words_in != '0;
	always_ff @(posedge clk) begin
		store <= 1'b0;
		if (store) begin
			words_in <= words_in + 1'b1;
			frame_beats <= frame_beats + 1'b1;
			if (frame_beats == ($clog2(BEATS_IN+1))'(BEATS_IN - 1)) begin
				frame_beats <= '0;
				words_out <= words_out + COUNT_OUT'(BEATS_OUT);
			end
		end
		if (payload_valid) begin
			word <= IN_WIDTH'({payload, word} >> 8);
			word_bytes <= word_bytes == ($clog2(IN_BYTES+1))'(IN_BYTES - 1) ? '0 : word_bytes + 1'b1;
			store <= word_bytes == ($clog2(IN_BYTES+1))'(IN_BYTES - 1);
		end
		if (begun || !rst_n) begin
			store <= 1'b0;
			word_bytes <= '0;
			frame_beats <= '0;
			words_in <= '0;
			words_out <= '0;
		end
	end

	logic [IN_WIDTH-1:0] frame_data, test_data;
	logic frame_valid, frame_ready, test_valid, test_ready;
	bsk_word_memory #(.WIDTH(IN_WIDTH), .WORDS(WORDS_IN)) frames (
		.clk(clk), .rst_n(rst_n), .write(store), .write_address(words_in[ADDRESS_IN-1:0]), .write_data(word),
		.start(run && !testing), .count(words_in), .out_data(frame_data), .out_valid(frame_valid), .out_ready(frame_ready)
	);
	assign in_data = testing ? test_data : frame_data;
	assign in_valid = state == RUN && (testing ? test_valid : frame_valid);
	assign frame_ready = state == RUN && !testing && in_ready;
	assign test_ready = state == RUN && testing && in_ready;

	// Results: stored a cycle after the design gave them, read as bytes.
	logic [OUT_WIDTH-1:0] got, result, shifted;
	logic got_valid, result_word_valid, result_start, expected_valid;
	logic [COUNT_OUT-1:0] got_words;
	logic [$clog2(OUT_BYTES+1)-1:0] bytes_left;
	wire given = out_valid && out_ready, taken = in_valid && in_ready;
	assign out_ready = state == RUN && (!testing || expected_valid);
	bsk_word_memory #(.WIDTH(OUT_WIDTH), .WORDS(WORDS_OUT)) results (
		.clk(clk), .rst_n(rst_n), .write(got_valid), .write_address(got_words[ADDRESS_OUT-1:0]), .write_data(got),
		.start(result_start), .count(words_out), .out_data(result), .out_valid(result_word_valid),
		.out_ready(bytes_left == '0)
	);
	assign result_byte = shifted[7:0];
	assign result_valid = bytes_left != '0;
	always_ff @(posedge clk) begin
		got <= out_data;
		got_valid <= given && !testing;
		if (got_valid) got_words <= got_words + 1'b1;
		if (run || !rst_n) got_words <= '0;
		if (bytes_left == '0) begin
			shifted <= result;
			if (result_word_valid) bytes_left <= ($clog2(OUT_BYTES+1))'(OUT_BYTES);
		end else if (answer_ready && !with_facts) begin
			shifted <= shifted >> 8;
			bytes_left <= bytes_left - 1'b1;
		end
		if (!rst_n || result_start) bytes_left <= '0;
	end

	// The self-test
	logic [15:0] tested, wrong;
	if (TEST_FRAMES != 0) begin : g_test
		bsk_self_test #(
			.IN_WIDTH(IN_WIDTH), .OUT_WIDTH(OUT_WIDTH), .OUT_BITS(OUT_BITS), .BEATS_IN(BEATS_IN), .BEATS_OUT(BEATS_OUT),
			.FRAMES(TEST_FRAMES), .IN_FILE(IN_FILE), .OUT_FILE(OUT_FILE)
		) test (
			.clk(clk), .rst_n(rst_n), .start(run && testing), .in_data(test_data), .in_valid(test_valid), .in_ready(test_ready),
			.out_data(out_data), .out_valid(out_valid && testing && state == RUN), .out_ready(expected_valid), .done(tested),
			.wrong(wrong)
		);
	end else begin : g_no_test
		assign test_data = '0, test_valid = 1'b0, expected_valid = 1'b0, tested = '0, wrong = '0;
		wire unused = &{1'b0, test_ready};
	end

	// Cycles, from the first beat taken to the last given, both counted; of the self-test kept for its report
	logic counting, first, silent_long;
	logic [31:0] cycles, latency, total, test_latency, test_total;
	logic [$clog2(BEATS_OUT+1)-1:0] beats_left;
	logic [$clog2(PATIENCE+1)-1:0] silent;
	always_ff @(posedge clk) begin
		if (counting) cycles <= cycles + 1'b1;
		if (taken && !counting) begin
			counting <= 1'b1;
			cycles <= 32'd2;
		end
		if (given) begin
			total <= cycles;
			if (first) begin
				latency <= cycles;
				beats_left <= beats_left - 1'b1;
				if (beats_left == ($clog2(BEATS_OUT+1))'(1)) first <= 1'b0;
			end
		end
		silent <= state != RUN || given || taken ? '0 : silent + 1'b1;
		silent_long <= silent == ($clog2(PATIENCE+1))'(PATIENCE);
		if (run) begin
			counting <= 1'b0;
			first <= 1'b1;
			beats_left <= ($clog2(BEATS_OUT+1))'(BEATS_OUT);
			silent_long <= 1'b0;
		end
	end

	// Requests
	logic [5:0] starting;
	logic all_given, tested_all, verdict, over, asked;
	localparam logic [7:0] INFO = "I", FRAME = "F", RESTART = "R", TEST = "T";
	localparam logic [23:0] IN_FRAME = 24'(BEATS_IN * IN_BYTES), OUT_FRAME = 24'(BEATS_OUT * OUT_BYTES);
	assign busy = state == RUN;
	assign passed = verdict && wrong == '0 && !over;
	assign failed = verdict && (wrong != '0 || over);
	assign hold = state != IDLE;
	always_ff @(posedge clk) begin
		run <= 1'b0;
		answer_start <= 1'b0;
		result_start <= 1'b0;
		starting <= state == RESET ? starting + 1'b1 : '0;
		all_given <= state == RUN && !run && got_words == words_out;
		tested_all <= tested == 16'(TEST_FRAMES);
		design_rst_n <= rst_n && state != RESET;
		case (state)
			RESET: if (&starting) begin
				state <= asked ? ANSWER : IDLE;
				if (TEST_FRAMES != 0 && !verdict && !asked) begin
					testing <= 1'b1;
					run <= 1'b1;
					state <= RUN;
				end
			end
			IDLE: begin
				testing <= 1'b0;
				asked <= good || bad;
				if (bad) begin
					answer <= "c";
					answer_length <= '0;
					state <= ANSWER;
				end else if (good) begin
					answer <= kind | 8'h20;  // its small letter
					answer_length <= '0;
					state <= ANSWER;
					case (kind)
						INFO: begin
							answer_length <= 24'd23;
							facts <= {16'(TEST_FRAMES), OUT_FRAME, IN_FRAME, 16'(FRAMES), 32'(CLOCK_HZ), IDENTITY, VERSION};
							facts_left <= 5'd23;
						end
						TEST: begin
							answer_length <= 24'd13;
							facts <= (23*8)'({test_total, test_latency, wrong, tested, failed ? 8'd2 : 8'(passed)});
							facts_left <= 5'd13;
						end
						RESTART: state <= RESET;
						FRAME: begin
							if (whole) begin
								run <= 1'b1;
								state <= RUN;
							end else answer <= "l";
						end
						default: answer <= "u";
					endcase
				end
			end
			RUN: if (!run) begin
				if (testing) begin
					if (tested_all || silent_long) begin
						verdict <= 1'b1;
						over <= silent_long;
						test_latency <= latency;
						test_total <= total;
						state <= silent_long ? RESET : IDLE;
					end
				end else if (silent_long) begin
					answer <= "d";
					state <= RESET;  // what is left in the design must not mix with other frames
				end else if (all_given) begin
					facts <= (23*8)'({total, latency});
					facts_left <= 5'd8;
					answer_length <= 24'(words_out) * 24'(OUT_BYTES) + 24'd8;
					result_start <= 1'b1;
					state <= ANSWER;
				end
			end
			ANSWER: begin
				answer_start <= 1'b1;
				state <= SENDING;
			end
			default: if (!answer_start && !answer_busy) state <= IDLE;  // SENDING
		endcase
		if (answer_ready && with_facts) begin
			facts <= {8'd0, facts[FACTS-1:1]};
			facts_left <= facts_left - 1'b1;
		end
		if (!rst_n) begin
			state <= RESET;
			starting <= '0;
			facts_left <= '0;
			testing <= 1'b0;
			asked <= 1'b0;
			verdict <= 1'b0;
			over <= 1'b0;
			answer_start <= 1'b0;
		end
	end
endmodule
