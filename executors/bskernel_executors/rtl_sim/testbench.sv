// Sends every frame of inputs.hex and compares what comes out with outputs.hex, beat by beat.
// It ends with PASS, or with a fatal error that names the first wrong frames.
// +stall=PERCENT holds both streams back at random (default 0). The numbers are in frames_pkg.sv.
`timescale 1ns / 1ps

module testbench;
	import frames_pkg::*;

	logic clock = 0;
	logic reset_n = 0;
	logic [WIDTH_IN-1:0] sent_data = '0;
	logic sent_valid = 0;
	wire sent_ready;
	wire [WIDTH_OUT-1:0] got_data;
	wire got_valid;
	logic got_ready = 0;

	logic [WIDTH_IN-1:0] inputs [FRAMES*BEATS_IN];
	logic [WIDTH_OUT-1:0] outputs [FRAMES*BEATS_OUT];

	int sent = 0, got = 0, wrong = 0, stall = 0;
	longint cycle = 0, moved = 0;
	bit taken, given;

	accelerator dut (
		.ap_clk(clock), .ap_rst_n(reset_n),
		.s_axis_tdata(sent_data), .s_axis_tvalid(sent_valid), .s_axis_tready(sent_ready),
		.m_axis_tdata(got_data), .m_axis_tvalid(got_valid), .m_axis_tready(got_ready)
	);

	always #(PERIOD_NS / 2.0) clock = !clock;

	// Hold a stream back in `stall` of 100 cycles.
	function automatic bit held();
		return $urandom_range(99) < stall;
	endfunction

	initial begin
		void'($value$plusargs("stall=%d", stall));
		$readmemh({FOLDER, "inputs.hex"}, inputs);
		$readmemh({FOLDER, "outputs.hex"}, outputs);
		repeat (16) @(posedge clock);
		@(negedge clock) reset_n = 1;
		while (got < FRAMES * BEATS_OUT) begin
			// Inputs change at the falling edge. AXI forbids to take back a valid beat.
			if (!sent_valid) sent_valid = sent < FRAMES * BEATS_IN && !held();
			sent_data = sent_valid ? inputs[sent] : '0;
			got_ready = !held();
			#(PERIOD_NS / 4.0);
			taken = sent_valid && sent_ready;
			given = got_valid && got_ready;
			if (given) begin
				// The padding to whole bytes carries nothing.
				if (got_data[BITS_OUT-1:0] !== outputs[got][BITS_OUT-1:0]) begin
					wrong++;
					if (wrong <= 10)
						$display("frame %0d, beat %0d: %h instead of %h",
							got / BEATS_OUT, got % BEATS_OUT, got_data[BITS_OUT-1:0], outputs[got][BITS_OUT-1:0]);
				end
				got++;
			end
			if (taken || given) moved = cycle;
			if (cycle - moved > PATIENCE)
				$fatal(1, "FAIL: nothing moved for %0d cycles, after %0d of %0d beats out",
					PATIENCE, got, FRAMES * BEATS_OUT);
			cycle++;
			@(negedge clock);
			if (taken) begin
				sent++;
				sent_valid = 0;
			end
		end
		if (wrong != 0) $fatal(1, "FAIL: %0d of %0d beats differ", wrong, FRAMES * BEATS_OUT);
		$display("PASS: %0d frames, %0d cycles", FRAMES, cycle);
		$finish;
	end
endmodule
