"""A chain of layers as one design."""

import pytest
from bskernel_executors.finn_step.top_module import LayerInstance, find_input_ports, order_sources, write_top

MODULE = """
module {name} #(
	parameter  WIDTH = 8
)(
	// Global Control
	(* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 ap_clk CLK" *)
	input	ap_clk,
	input	ap_rst_n,
	input	[WIDTH-1:0]  in0_V_TDATA,
	input   in0_V_TVALID,
	output  in0_V_TREADY,
	input [$clog2(WIDTH) + 1:0]  s_axilite_AWADDR,	// ignored
	output  [WIDTH-1:0]  out0_V_TDATA,
	output  out0_V_TVALID,
	input   out0_V_TREADY
);
	input_is_not_a_port x ();
endmodule
"""


def layer(name: str, width_in: int = 8, width_out: int = 8, *, is_fifo: bool = False) -> LayerInstance:
    source = MODULE.format(name=name)
    return LayerInstance(
        name=name, module=name, source=source, width_in=width_in, width_out=width_out, is_fifo=is_fifo
    )


def test_the_inputs_of_a_module_are_found_whatever_stands_beside_them() -> None:
    assert find_input_ports(MODULE) == (
        "ap_clk", "ap_rst_n", "in0_V_TDATA", "in0_V_TVALID", "s_axilite_AWADDR", "out0_V_TREADY",
    )  # fmt: skip


def test_neighbours_share_a_stream_and_the_rest_is_tied_off() -> None:
    top = write_top([layer("a"), layer("b", 8, 16)])
    assert top.count(".in0_V_TDATA(s1_tdata)") == top.count(".out0_V_TDATA(s1_tdata)") == 1
    assert top.count(".s_axilite_AWADDR('0)") == 2
    assert "output wire [15:0] out0_V_TDATA" in top
    assert "fifo_maxcount" not in top


def test_every_signal_is_declared_before_it_is_used() -> None:
    top = write_top([layer("a"), layer("b"), layer("c")])
    assert top.rindex("\twire [") < top.index("\ta a_i (")


def test_a_fifo_s_maximum_is_visible_at_the_top() -> None:
    top = write_top([layer("f", is_fifo=True), layer("a"), layer("g", is_fifo=True)])
    assert "output wire [63:0] fifo_maxcount" in top
    assert "assign fifo_maxcount[32 +: 32] = f1_maxcount;" in top
    monitor = top[top.index("`ifdef BSKERNEL_MONITOR") :]
    assert monitor.index("fifo_maxcount") < monitor.index("`endif")


def test_a_fifo_can_be_throttled_and_is_open_where_it_is_not() -> None:
    top = write_top([layer("f", is_fifo=True), layer("a")])
    assert "assign f0_open = f0_count < fifo_limit[0 +: 32];" in top
    assert "assign f0_open = 1'b1;" in top
    assert ".in0_V_TVALID((s0_tvalid && f0_open))" in top
    assert "assign s0_tready = f0_tready && f0_open;" in top


def test_neighbours_of_different_widths_are_named() -> None:
    with pytest.raises(ValueError, match="a outputs 16 bits, but b takes 8"):
        write_top([layer("a", 8, 16), layer("b")])


def test_a_weight_memory_feeds_its_layer() -> None:
    ports = ("ap_clk", "ap_clk2x", "s_axilite_AWVALID", "m_axis_0_tready")
    memory = "module m (\n" + ",\n".join(f"\tinput\t{port}" for port in ports) + "\n);\n"
    with_memory = LayerInstance(
        name="a", module="a", source=MODULE.format(name="a"), width_in=8, width_out=8, memory="m",
        memory_source=memory, memory_width=24,
    )  # fmt: skip
    top = write_top([with_memory])
    assert "wire [23:0] w0_tdata;" in top
    assert ".m_axis_0_tdata(w0_tdata)" in top
    assert ".in1_V_TDATA(w0_tdata)" in top
    assert ".s_axilite_AWVALID('0)" in top


def test_packages_are_read_before_what_imports_them() -> None:
    assert order_sources(["top.sv", "hdl/a.v", "lib/b.sv", "lib/z_pkg.sv"]) == (
        "lib/z_pkg.sv", "lib/b.sv", "hdl/a.v", "top.sv",
    )  # fmt: skip
