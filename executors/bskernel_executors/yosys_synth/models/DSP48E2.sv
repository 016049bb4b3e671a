// Model of DSP48E2 for the cycle simulation of a netlist, after AMD's UG579.
//
// Covered: the registers of A, B, C, D, AD, M, P and of the controls, the pre-adder, the multiplier, the four multiplexers
// of the adder, ALUMODE's sums and differences in one lane of 48 bits, and PCIN. Anything else stops the simulation.
// Outputs that are not computed have no port, so a netlist that connects one does not compile.
module DSP48E2 #(
	parameter integer ACASCREG = 1,
	parameter integer ADREG = 1,
	parameter integer ALUMODEREG = 1,
	parameter AMULTSEL = "A",
	parameter integer AREG = 1,
	parameter AUTORESET_PATDET = "NO_RESET",
	parameter AUTORESET_PRIORITY = "RESET",
	parameter A_INPUT = "DIRECT",
	parameter integer BCASCREG = 1,
	parameter BMULTSEL = "B",
	parameter integer BREG = 1,
	parameter B_INPUT = "DIRECT",
	parameter integer CARRYINREG = 1,
	parameter integer CARRYINSELREG = 1,
	parameter integer CREG = 1,
	parameter integer DREG = 1,
	parameter integer INMODEREG = 1,
	parameter [3:0] IS_ALUMODE_INVERTED = 4'b0,
	parameter [0:0] IS_CARRYIN_INVERTED = 1'b0,
	parameter [0:0] IS_CLK_INVERTED = 1'b0,
	parameter [4:0] IS_INMODE_INVERTED = 5'b0,
	parameter [8:0] IS_OPMODE_INVERTED = 9'b0,
	parameter [0:0] IS_RSTALLCARRYIN_INVERTED = 1'b0,
	parameter [0:0] IS_RSTALUMODE_INVERTED = 1'b0,
	parameter [0:0] IS_RSTA_INVERTED = 1'b0,
	parameter [0:0] IS_RSTB_INVERTED = 1'b0,
	parameter [0:0] IS_RSTCTRL_INVERTED = 1'b0,
	parameter [0:0] IS_RSTC_INVERTED = 1'b0,
	parameter [0:0] IS_RSTD_INVERTED = 1'b0,
	parameter [0:0] IS_RSTINMODE_INVERTED = 1'b0,
	parameter [0:0] IS_RSTM_INVERTED = 1'b0,
	parameter [0:0] IS_RSTP_INVERTED = 1'b0,
	parameter [47:0] MASK = 48'h3FFFFFFFFFFF,
	parameter integer MREG = 1,
	parameter integer OPMODEREG = 1,
	parameter [47:0] PATTERN = 48'b0,
	parameter PREADDINSEL = "A",
	parameter integer PREG = 1,
	parameter [47:0] RND = 48'b0,
	parameter SEL_MASK = "MASK",
	parameter SEL_PATTERN = "PATTERN",
	parameter USE_MULT = "MULTIPLY",
	parameter USE_PATTERN_DETECT = "NO_PATDET",
	parameter USE_SIMD = "ONE48",
	parameter USE_WIDEXOR = "FALSE",
	parameter XORSIMD = "XOR24_48_96"
)(
	input CLK,
	input signed [29:0] A, ACIN,
	input signed [17:0] B, BCIN,
	input [47:0] C, PCIN,
	input signed [26:0] D,
	input CARRYCASCIN, CARRYIN, MULTSIGNIN,
	input [2:0] CARRYINSEL,
	input [3:0] ALUMODE,
	input [4:0] INMODE,
	input [8:0] OPMODE,
	input CEA1, CEA2, CEAD, CEALUMODE, CEB1, CEB2, CEC, CECARRYIN, CECTRL, CED, CEINMODE, CEM, CEP,
	input RSTA, RSTALLCARRYIN, RSTALUMODE, RSTB, RSTC, RSTCTRL, RSTD, RSTINMODE, RSTM, RSTP,
	output [47:0] P, PCOUT
);
	initial begin
		if (A_INPUT != "DIRECT" || B_INPUT != "DIRECT")
			$fatal(1, "the model of DSP48E2 only takes A and B from their ports: A_INPUT=%s B_INPUT=%s", A_INPUT, B_INPUT);
		if (USE_MULT != "MULTIPLY" && USE_MULT != "NONE")
			$fatal(1, "the model of DSP48E2 has no USE_MULT=%s", USE_MULT);
		if (USE_SIMD != "ONE48") $fatal(1, "the model of DSP48E2 has no USE_SIMD=%s", USE_SIMD);
		if (USE_WIDEXOR != "FALSE") $fatal(1, "the model of DSP48E2 has no USE_WIDEXOR=%s", USE_WIDEXOR);
		if (USE_PATTERN_DETECT != "NO_PATDET" || AUTORESET_PATDET != "NO_RESET")
			$fatal(1, "the model of DSP48E2 has no pattern detector: USE_PATTERN_DETECT=%s AUTORESET_PATDET=%s",
				USE_PATTERN_DETECT, AUTORESET_PATDET);
		if (AMULTSEL != "A" && AMULTSEL != "AD") $fatal(1, "the model of DSP48E2 has no AMULTSEL=%s", AMULTSEL);
		if (BMULTSEL != "B" && BMULTSEL != "AD") $fatal(1, "the model of DSP48E2 has no BMULTSEL=%s", BMULTSEL);
		if (PREADDINSEL != "A" && PREADDINSEL != "B") $fatal(1, "the model of DSP48E2 has no PREADDINSEL=%s", PREADDINSEL);
		if (AREG > 2 || BREG > 2) $fatal(1, "the model of DSP48E2 has no AREG=%0d BREG=%0d", AREG, BREG);
		if (ADREG > 1 || ALUMODEREG > 1 || CARRYINREG > 1 || CARRYINSELREG > 1 || CREG > 1 || DREG > 1
			|| INMODEREG > 1 || MREG > 1 || OPMODEREG > 1 || PREG > 1)
			$fatal(1, "the model of DSP48E2 has at most one register after C, D, AD, M, P and the controls");
	end

	wire clk = CLK ^ IS_CLK_INVERTED;
	wire rst_a = RSTA ^ IS_RSTA_INVERTED, rst_b = RSTB ^ IS_RSTB_INVERTED, rst_c = RSTC ^ IS_RSTC_INVERTED;
	wire rst_d = RSTD ^ IS_RSTD_INVERTED, rst_m = RSTM ^ IS_RSTM_INVERTED, rst_p = RSTP ^ IS_RSTP_INVERTED;
	wire rst_ctrl = RSTCTRL ^ IS_RSTCTRL_INVERTED, rst_inmode = RSTINMODE ^ IS_RSTINMODE_INVERTED;
	wire rst_alumode = RSTALUMODE ^ IS_RSTALUMODE_INVERTED, rst_carry = RSTALLCARRYIN ^ IS_RSTALLCARRYIN_INVERTED;
	wire [3:0] alumode_in = ALUMODE ^ IS_ALUMODE_INVERTED;
	wire [4:0] inmode_in = INMODE ^ IS_INMODE_INVERTED;
	wire [8:0] opmode_in = OPMODE ^ IS_OPMODE_INVERTED;
	wire carry_in = CARRYIN ^ IS_CARRYIN_INVERTED;

	reg signed [29:0] a1_q = 0, a2_q = 0;
	reg signed [17:0] b1_q = 0, b2_q = 0;
	reg [47:0] c_q = 0, p_q = 0;
	reg signed [26:0] d_q = 0, ad_q = 0;
	reg signed [44:0] m_q = 0;
	reg [2:0] carryinsel_q = 0;
	reg [3:0] alumode_q = 0;
	reg [4:0] inmode_q = 0;
	reg [8:0] opmode_q = 0;
	reg carry_q = 0;

	wire signed [29:0] a2 = AREG == 0 ? A : a2_q;
	wire signed [17:0] b2 = BREG == 0 ? B : b2_q;
	wire [47:0] c = CREG == 0 ? C : c_q;
	wire signed [26:0] d = DREG == 0 ? D : d_q;
	wire [2:0] carryinsel = CARRYINSELREG == 0 ? CARRYINSEL : carryinsel_q;
	wire [3:0] alumode = ALUMODEREG == 0 ? alumode_in : alumode_q;
	wire [4:0] inmode = INMODEREG == 0 ? inmode_in : inmode_q;
	wire [8:0] opmode = OPMODEREG == 0 ? opmode_in : opmode_q;
	wire carry = CARRYINREG == 0 ? carry_in : carry_q;

	// Pre-adder: INMODE chooses the earlier register, gates A or B, lets D in, and subtracts.
	wire signed [26:0] a_chosen = inmode[0] ? a1_q[26:0] : a2[26:0];
	wire signed [17:0] b_chosen = inmode[4] ? b1_q : b2;
	wire signed [26:0] a_path = PREADDINSEL == "A" && inmode[1] ? 27'sd0 : a_chosen;
	wire signed [17:0] b_path = PREADDINSEL == "B" && inmode[1] ? 18'sd0 : b_chosen;
	wire signed [26:0] b_extended = b_path;
	wire signed [26:0] added = PREADDINSEL == "A" ? a_path : b_extended;
	wire signed [26:0] d_path = inmode[2] ? d : 27'sd0;
	wire signed [26:0] ad_sum = inmode[3] ? d_path - added : d_path + added;
	wire signed [26:0] ad = ADREG == 0 ? ad_sum : ad_q;

	wire signed [26:0] factor_a = AMULTSEL == "A" ? a_path : ad;
	wire signed [17:0] factor_b = BMULTSEL == "B" ? b_path : ad[17:0];
	wire signed [44:0] product = factor_a * factor_b;
	wire signed [44:0] m = MREG == 0 ? product : m_q;

	// In hardware, X and Y each carry a part of the product; here X carries all of it.
	wire [47:0] p_back = PREG == 0 ? 48'd0 : p_q;
	wire [47:0] w = opmode[8:7] == 2'b00 ? 48'd0 : opmode[8:7] == 2'b01 ? p_back : opmode[8:7] == 2'b10 ? RND : c;
	wire [47:0] m_extended = {{3{m[44]}}, m};
	wire [47:0] x = opmode[1:0] == 2'b00 ? 48'd0 : opmode[1:0] == 2'b01 ? m_extended
		: opmode[1:0] == 2'b10 ? p_back : {a2, b2};
	wire [47:0] y = opmode[3] == 1'b0 ? 48'd0 : opmode[2] ? c : {48{1'b1}};
	reg [47:0] z;
	always @* begin
		case (opmode[6:4])
			3'b001: z = PCIN;
			3'b010: z = p_back;
			3'b011: z = c;
			3'b101: z = {{17{PCIN[47]}}, PCIN[47:17]};
			3'b110: z = {{17{p_back[47]}}, p_back[47:17]};
			default: z = 48'd0;
		endcase
	end
	wire [47:0] sum = w + x + y + {47'd0, carry};
	reg [47:0] result;
	always @* begin
		case (alumode)
			4'b0000: result = z + sum;
			4'b0001: result = ~z + sum;
			4'b0010: result = ~(z + sum);
			default: result = z - sum; // 4'b0011; other values stop the simulation below
		endcase
	end
	assign P = PREG == 0 ? result : p_q;
	assign PCOUT = P;

	wire multiplies = opmode[1:0] == 2'b01 || opmode[3:2] == 2'b01;
	wire uses_p = opmode[8:7] == 2'b01 || opmode[1:0] == 2'b10 || opmode[6:4] == 3'b010 || opmode[6:4] == 3'b110;
	always @(posedge clk) begin
		if (multiplies && (opmode[3:0] != 4'b0101 || USE_MULT == "NONE") || opmode[6:4] == 3'b100 || opmode[6:4] == 3'b111
			|| uses_p && PREG == 0)
			$fatal(1, "the model of DSP48E2 has no OPMODE=%b (USE_MULT=%s PREG=%0d)", opmode, USE_MULT, PREG);
		if (alumode > 4'b0011) $fatal(1, "the model of DSP48E2 has no ALUMODE=%b", alumode);
		if (carryinsel != 3'b000) $fatal(1, "the model of DSP48E2 has no CARRYINSEL=%b", carryinsel);
		if (inmode[0] && AREG != 2 || inmode[4] && BREG != 2)
			$fatal(1, "the model of DSP48E2 has no INMODE=%b with AREG=%0d BREG=%0d", inmode, AREG, BREG);
	end

	always @(posedge clk) begin
		if (rst_a) begin
			a1_q <= 0;
			a2_q <= 0;
		end else begin
			if (CEA1) a1_q <= A;
			if (CEA2) a2_q <= AREG == 2 ? a1_q : A;
		end
		if (rst_b) begin
			b1_q <= 0;
			b2_q <= 0;
		end else begin
			if (CEB1) b1_q <= B;
			if (CEB2) b2_q <= BREG == 2 ? b1_q : B;
		end
		if (rst_c) c_q <= 0;
		else if (CEC) c_q <= C;
		if (rst_d) d_q <= 0;
		else if (CED) d_q <= D;
		if (rst_d) ad_q <= 0;
		else if (CEAD) ad_q <= ad_sum;
		if (rst_m) m_q <= 0;
		else if (CEM) m_q <= product;
		if (rst_p) p_q <= 0;
		else if (CEP) p_q <= result;
		if (rst_inmode) inmode_q <= 0;
		else if (CEINMODE) inmode_q <= inmode_in;
		if (rst_alumode) alumode_q <= 0;
		else if (CEALUMODE) alumode_q <= alumode_in;
		if (rst_carry) carry_q <= 0;
		else if (CECARRYIN) carry_q <= carry_in;
		if (rst_ctrl) begin
			opmode_q <= 0;
			carryinsel_q <= 0;
		end else if (CECTRL) begin
			opmode_q <= opmode_in;
			carryinsel_q <= CARRYINSEL;
		end
	end
endmodule
