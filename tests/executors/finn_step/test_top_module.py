"""A graph of layers as one design."""

from typing import Any

import pytest
from bskernel_executors.finn_step.stream_graph import LayerInstance, Port, find_edges
from bskernel_executors.finn_step.top_module import find_input_ports, order_sources, write_top

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


def layer(name: str, takes: str, gives: str, widths: tuple[int, int] = (8, 8), **more: Any) -> LayerInstance:
    """Takes and gives name the tensors at its ports, apart by blanks."""
    ports = [
        tuple(Port(name=f"{side}{at}_V", tensor=tensor, width=width) for at, tensor in enumerate(tensors.split()))
        for side, tensors, width in (("in", takes, widths[0]), ("out", gives, widths[1]))
    ]
    return LayerInstance(
        name=name, module=name, source=MODULE.format(name=name), inputs=ports[0], outputs=ports[1], **more
    )


def fork_and_join() -> list[LayerInstance]:
    return [
        layer("fork", "x", "short long"),
        layer("f", "short", "waited", is_fifo=True),
        layer("work", "long", "worked"),
        layer("join", "worked waited", "y"),
    ]


def test_the_inputs_of_a_module_are_found_whatever_stands_beside_them() -> None:
    assert find_input_ports(MODULE) == (
        "ap_clk", "ap_rst_n", "in0_V_TDATA", "in0_V_TVALID", "s_axilite_AWADDR", "out0_V_TREADY",
    )  # fmt: skip


def test_neighbours_share_a_stream_and_the_rest_is_tied_off() -> None:
    top = write_top([layer("a", "x", "t"), layer("b", "t", "y", (8, 16))], "x", "y")
    assert top.count(".in0_V_TDATA(a_out0_tdata)") == top.count(".out0_V_TDATA(a_out0_tdata)") == 1
    assert top.count(".s_axilite_AWADDR('0)") == 2
    assert "output wire [15:0] out0_V_TDATA" in top
    assert "fifo_maxcount" not in top


def test_every_signal_is_declared_before_it_is_used() -> None:
    top = write_top(fork_and_join(), "x", "y")
    assert top.rindex("\twire [") < top.index("\tfork fork_i (")


def test_a_fifo_s_maximum_is_visible_at_the_top() -> None:
    layers = [layer("f", "x", "s", is_fifo=True), layer("a", "s", "t"), layer("g", "t", "y", is_fifo=True)]
    top = write_top(layers, "x", "y")
    assert "output wire [63:0] fifo_maxcount" in top
    assert "assign fifo_maxcount[32 +: 32] = g_maxcount;" in top
    monitor = top[top.index("`ifdef BSKERNEL_MONITOR") :]
    assert monitor.index("fifo_maxcount") < monitor.index("`endif")


def test_a_simulation_that_throttles_gets_a_fifo_of_any_depth_at_the_same_streams() -> None:
    top = write_top(fork_and_join(), "x", "y")
    elastic, own = top[top.index("`ifdef BSKERNEL_THROTTLE\n\tbskernel_elastic_fifo") :].split("`else")[:2]
    assert ".limit(fifo_limit[0 +: 32])" in elastic
    for text in (elastic, own.partition("`endif")[0]):
        assert ".in0_V_TDATA(fork_out0_tdata)" in text
        assert ".out0_V_TDATA(f_out0_tdata)" in text


def test_a_join_takes_each_branch_at_its_own_input() -> None:
    top = write_top(fork_and_join(), "x", "y")
    join = top[top.index("\tjoin join_i (") :]
    assert ".in0_V_TDATA(work_out0_tdata)" in join
    assert ".in1_V_TDATA(f_out0_tdata)" in join
    fork = top[top.index("\tfork fork_i (") :]
    assert fork.index(".out0_V_TDATA(fork_out0_tdata)") < fork.index(".out1_V_TDATA(fork_out1_tdata)")


def test_streams_are_named_by_what_they_connect() -> None:
    assert [edge.name for edge in find_edges(fork_and_join(), "x", "y")] == [
        "input -> fork", "fork -> f", "fork -> work", "work -> join", "f -> join", "join -> output",
    ]  # fmt: skip
    twice = [layer("fork", "x", "a b"), layer("join", "a b", "y")]
    assert [edge.name for edge in find_edges(twice, "x", "y")][1:3] == ["fork -> join (in0)", "fork -> join (in1)"]


def test_ends_of_different_widths_are_named() -> None:
    with pytest.raises(ValueError, match="a outputs 16 bits, but b takes 8"):
        write_top([layer("a", "x", "t", (8, 16)), layer("b", "t", "y")], "x", "y")


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([layer("a", "x", "t"), layer("b", "t", "y"), layer("c", "t", "z")], "a: stream t goes to 2 places"),
        ([layer("a", "x", "y unused")], "a: stream unused goes to 0 places"),
        ([layer("a", "x missing", "y")], "a takes missing, which no layer outputs"),
    ],
)
def test_a_stream_has_one_source_and_one_sink(layers: list[LayerInstance], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        write_top(layers, "x", "y")


def test_a_weight_memory_feeds_its_layer() -> None:
    ports = ("ap_clk", "ap_clk2x", "s_axilite_AWVALID", "m_axis_0_tready")
    memory = "module m (\n" + ",\n".join(f"\tinput\t{port}" for port in ports) + "\n);\n"
    with_memory = layer("a", "x", "y", memory="m", memory_source=memory, memory_width=24)
    top = write_top([with_memory], "x", "y")
    assert "wire [23:0] a_weights_tdata;" in top
    assert ".m_axis_0_tdata(a_weights_tdata)" in top
    assert ".in1_V_TDATA(a_weights_tdata)" in top
    assert ".s_axilite_AWVALID('0)" in top


def test_packages_are_read_before_what_imports_them() -> None:
    assert order_sources(["top.sv", "hdl/a.v", "lib/b.sv", "lib/z_pkg.sv"]) == (
        "lib/z_pkg.sv", "lib/b.sv", "hdl/a.v", "top.sv",
    )  # fmt: skip
