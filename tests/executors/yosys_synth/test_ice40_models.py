"""Models of iCE40's cells, and what becomes of the cells that nextpnr-ice40 writes."""

from pathlib import Path

import pytest
from bskernel_executors.sdk import StepFailure
from bskernel_executors.yosys_synth import lattice
from bskernel_executors.yosys_synth.lattice.ice40_models import (
    connect_routed,
    find_unmodelled,
    is_ice40,
    select_models,
)
from bskernel_executors.yosys_synth.lattice.netlist_text import read_netlist, write_netlist

OWN = {path.name: path.read_text() for path in (Path(lattice.__file__).parents[1] / "models").iterdir()}
# As Yosys' share/ice40/cells_sim.v is written.
LIBRARY = """`timescale 1ps / 1ps
`define SB_DFF_INIT initial Q = 0;

module SB_GB (input USER_SIGNAL_TO_GLOBAL_BUFFER, output GLOBAL_BUFFER_OUTPUT);
endmodule

module SB_LUT4 (output O, input I0, I1, I2, I3);
`ifdef ICE40_U
	specify
		(I0 => O) = (1245, 1285);
	endspecify
`endif
endmodule

module SB_RAM40_4K (output [15:0] RDATA);
endmodule

module SB_MAC16 (
	input [15:0] A
);
	parameter [0:0] A_SIGNED = 0;
	parameter [1:0] TOPOUTPUT_SELECT = 0;
endmodule

module ICESTORM_LC (input I0, output O);
endmodule

module ICESTORM_RAM (input RCLK, output RDATA_0);
	function pd;
		input x;
		begin
			pd = (x === 1'bz) ? 1'b0 : x;
		end
	endfunction
	SB_RAM40_4K RAM ();
endmodule
"""


def test_models_are_those_of_the_kinds_alone_without_delays_and_time() -> None:
    files = select_models(["SB_LUT4"], LIBRARY, OWN)
    assert list(files) == ["models/cells_sim.v"]
    text = files["models/cells_sim.v"]
    assert text.startswith("`define SB_DFF_INIT")
    assert "module SB_LUT4" in text
    assert "specify" not in text
    assert "SB_GB" not in text


def test_a_routed_netlist_has_our_logic_cell_and_models_that_others_instantiate() -> None:
    files = select_models(["ICESTORM_LC", "ICESTORM_RAM", "SB_IO"], LIBRARY, OWN)
    text = files["models/cells_sim.v"]
    assert "module ICESTORM_LC" not in text
    assert "module ICESTORM_LC" in files["models/ice40_logic_cell.sv"]
    assert "module SB_RAM40_4K" in text
    assert "module SB_GB" in text
    assert "pd = x;" in text  # every pin is connected, so none is at high impedance


def test_a_routed_multiplier_is_yosys_with_a_pin_for_each_bit() -> None:
    files = select_models(["ICESTORM_DSP"], LIBRARY, OWN)
    assert "module SB_MAC16" in files["models/cells_sim.v"]
    text = files["models/ICESTORM_DSP.sv"]
    assert "parameter [1:0] TOPOUTPUT_SELECT = 0" in text
    assert "SB_MAC16 #(.A_SIGNED(A_SIGNED), .TOPOUTPUT_SELECT(TOPOUTPUT_SELECT)) multiplier (" in text
    assert ".A({A_15, A_14, " in text
    assert text.count("O_31,") == text.count("D_15,") == 2


def test_a_cell_without_a_model_is_named() -> None:
    assert is_ice40(["SB_PLL40_CORE"])
    assert not is_ice40(["LUT4", "DP16KD"])
    assert find_unmodelled(["SB_LUT4", "SB_PLL40_CORE", "ICESTORM_DSP"], LIBRARY) == ("SB_PLL40_CORE",)


def test_a_pin_without_a_net_is_low_but_enables_are_high() -> None:
    pins = {"I0": (False, "n1"), "SR": (False, None), "CEN": (False, None), "O": (True, "n2"), "LO": (True, None)}
    kind, parameters, connected = connect_routed("ICESTORM_LC", {"LUT_INIT": "01"}, pins)
    assert (kind, parameters) == ("ICESTORM_LC", {"LUT_INIT": "01"})
    assert connected == [("I0", "n1"), ("SR", "1'b0"), ("CEN", "1'b1"), ("O", "n2")]


@pytest.mark.parametrize(
    ("pin_type", "source", "sink"),
    [("000001", "PACKAGE_PIN", "D_IN_0"), ("011001", "D_OUT_0", "PACKAGE_PIN")],
)
def test_a_pin_of_the_package_is_a_buffer(pin_type: str, source: str, sink: str) -> None:
    pins = {source: (False, "n1"), sink: (True, "n2")}
    kind, _, connected = connect_routed("SB_IO", {"PIN_TYPE": pin_type.zfill(32)}, pins)
    assert (kind, connected) == (
        "SB_GB", [("USER_SIGNAL_TO_GLOBAL_BUFFER", "n1"), ("GLOBAL_BUFFER_OUTPUT", "n2")]
    )  # fmt: skip


def test_a_pin_with_a_register_or_a_third_state_is_refused() -> None:
    with pytest.raises(StepFailure, match="a pin of type 101001 cannot be simulated"):
        connect_routed("SB_IO", {"PIN_TYPE": "101001"}, {})


def test_the_netlist_that_nextpnr_writes_becomes_a_module_of_the_design_s_name() -> None:
    routed = b"""{"creator": "Next Generation Place and Route (Version nextpnr-0.11.1)", "modules": {"top": {
        "ports": {"a": {"direction": "input", "bits": [1]}, "q": {"direction": "output", "bits": [2]}},
        "cells": {"x": {"type": "ICESTORM_LC", "parameters": {"LUT_INIT": "0000000000000010"},
            "port_directions": {"I0": "input", "CEN": "input", "O": "output"},
            "connections": {"I0": [1], "CEN": [], "O": [2]}}}}}}"""
    text = write_netlist(read_netlist(routed, "bskernel_top"), "bskernel_top")
    assert "module bskernel_top (" in text
    assert "ICESTORM_LC #(.LUT_INIT(16'b0000000000000010)) c0 (.I0(n1), .CEN(1'b1), .O(n2));" in text
