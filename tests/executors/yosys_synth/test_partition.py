"""A stitched design as folders of layers, and the netlist that joins what was made of them."""

import json
from pathlib import Path

import msgspec
from bskernel_executors.exchange.design import Design
from bskernel_executors.yosys_synth.partition import (
    SOURCES,
    drop_conditional,
    find_layers,
    join_netlists,
    partition,
)

GOLDEN = Path(__file__).parents[1] / "golden" / "design.json"
TOP = """// 3 instances
module bskernel_top (
\tinput wire ap_clk,
\tinput wire ap_rst_n,
\toutput wire out0_V_TVALID
`ifdef BSKERNEL_MONITOR
\t,
\toutput wire [3:0] stream_valid
`endif
`ifdef BSKERNEL_THROTTLE,
\tinput wire [31:0] fifo_limit
`endif
);
\twire [7:0] s0_tdata;
\twire s0_tvalid, s0_tready;
\twire [15:0] s1_tdata;
\twire s1_tvalid, s1_tready;
\twire [31:0] Fifo_count, Fifo_maxcount;
"""
WEIGHTS = "\twire [7:0] {0}_weights_tdata;\n"
MVAU = """\t{0}_memstream_wrapper {0}_memory (
\t\t.ap_clk(ap_clk),
\t\t.m_axis_0_tdata({0}_weights_tdata),
\t\t.awaddr('0)
\t);
\t{0} {0}_i (
\t\t.ap_clk(ap_clk),
\t\t.in0_V_TDATA({1}_tdata),
\t\t.in0_V_TREADY({1}_tready),
\t\t.in1_V_TDATA({0}_weights_tdata),
\t\t.out0_V_TDATA({2}_tdata)
\t);
"""
FIFO = """`ifdef BSKERNEL_THROTTLE
\tbskernel_elastic_fifo #(.WIDTH(16)) Fifo_i (
\t\t.limit(fifo_limit[0 +: 32])
\t);
`else
\tfifo Fifo_i (
\t\t.in0_V_TDATA(s1_tdata),
\t\t.maxcount(Fifo_maxcount),
\t\t.out0_V_TDATA(s0_tdata)
\t);
`endif
"""
END = "`ifdef BSKERNEL_MONITOR\n\tassign stream_valid[0] = s0_tvalid;\n`endif\nendmodule\n"
ALIKE = ("MVAU_rtl_1", "MVAU_rtl_10")


def design_of(layers: tuple[str, ...], files: dict[str, bytes]) -> Design:
    golden = msgspec.json.decode(GOLDEN.read_bytes(), type=Design)
    sources = tuple(name for name in files if name.endswith("v"))
    return msgspec.structs.replace(golden, layers=layers, sources=sources)


def made() -> tuple[Design, dict[str, bytes]]:
    top = TOP + "".join(WEIGHTS.format(name) for name in ALIKE)
    top += MVAU.format("MVAU_rtl_1", "s0", "s1") + MVAU.format("MVAU_rtl_10", "s0", "s1") + FIFO + END
    files = {
        "lib/mvu_pkg.sv": b"package mvu_pkg; endpackage",
        "lib/mvu.sv": b"module mvu; import mvu_pkg::*; endmodule",
    }
    files |= {"lib/other.sv": b"module other; // mvu\nendmodule", "lib/fifo.sv": b"module fifo; endmodule"}
    for name in ALIKE:
        files[f"hdl/{name}.v"] = f'module {name}; mvu u(); initial $readmemh("mem/{name}_w.dat"); endmodule'.encode()
        files[f"hdl/{name}_memstream_wrapper.v"] = f"module {name}_memstream_wrapper; endmodule".encode()
        files[f"mem/{name}_w.dat"] = b"1"
    files["top.sv"] = top.encode()
    return design_of((*ALIKE, "Fifo"), files), files


def test_what_only_a_simulation_compiles_is_left_out() -> None:
    text = drop_conditional(made()[1]["top.sv"].decode())
    assert "ifdef" not in text
    assert "elastic" not in text
    assert "\tfifo Fifo_i (" in text


def test_a_layer_s_folder_has_what_the_layer_needs_under_names_of_no_layer() -> None:
    folders = partition(*made())
    assert folders.keys() == {*ALIKE, "Fifo"}
    folder = folders["MVAU_rtl_1"]
    assert json.loads(folder[SOURCES]) == [
        "lib/mvu_pkg.sv",
        "lib/mvu.sv",
        "hdl/layer.v",
        "hdl/layer_memstream_wrapper.v",
        "bskernel_layer.sv",
    ]
    assert folder.keys() == {SOURCES, *json.loads(folder[SOURCES]), "mem/layer_w.dat"}
    assert not any(b"MVAU" in data for data in folder.values())
    assert set(folders["Fifo"]) == {SOURCES, "lib/fifo.sv", "bskernel_layer.sv"}


def test_equal_layers_are_equal_bytes_and_another_memory_makes_another() -> None:
    design, files = made()
    one, ten = (partition(design, files)[name] for name in ALIKE)
    assert one == ten
    one, ten = (partition(design, {**files, "mem/MVAU_rtl_10_w.dat": b"2"})[name] for name in ALIKE)
    assert one != ten


def test_a_layer_s_module_has_the_streams_as_ports_and_keeps_the_weights_inside() -> None:
    folders = partition(*made())
    text = folders["MVAU_rtl_1"]["bskernel_layer.sv"].decode()
    head = text.partition(");")[0]
    assert "input wire [7:0] in0_V_TDATA" in head
    assert "output wire [0:0] in0_V_TREADY" in head
    assert "output wire [15:0] out0_V_TDATA" in head
    assert "in1_V" not in head
    assert "wire [7:0] layer_weights_tdata;" in text
    assert ".awaddr('0)" in text
    assert ".maxcount()" in folders["Fifo"]["bskernel_layer.sv"].decode()


def test_layers_with_one_netlist_share_its_module_and_are_connected_as_before() -> None:
    design, files = made()
    netlists = dict.fromkeys(ALIKE, "module bskernel_layer(); endmodule\n") | {
        "Fifo": "module bskernel_layer(x); endmodule\n"
    }
    text = join_netlists(design, files["top.sv"].decode(), netlists)
    assert text.count("module MVAU_rtl_1_netlist()") == 1
    assert "MVAU_rtl_10_netlist" not in text
    assert "module Fifo_netlist(x)" in text
    for name in ALIKE:
        assert f"\tMVAU_rtl_1_netlist {name}_i (" in text
    assert "memstream" not in text
    assert find_layers(design, text)[0].ports == find_layers(design, files["top.sv"].decode())[0].ports
