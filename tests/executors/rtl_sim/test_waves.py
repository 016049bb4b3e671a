"""The waveform of streams: what Verilator wrote about wires, under the names of layers, cycle by cycle."""

from pathlib import Path

import pytest
from bskernel_executors.exchange.design import Design, Fifo, Stream, StreamFormat
from bskernel_executors.rtl_sim.waves import CYCLE_NS, SAVE_FILE, VCD, find_streams, write_waves
from support.waveform import Waveform

PAIR = StreamFormat(width=8, beats=2, parallel=2, bits=4, signed=True, datatype="INT4", shape=(4,))
BYTE = StreamFormat(width=8, beats=1, parallel=1, bits=8, signed=False, datatype="UINT8", shape=(1,))
TOP = """
\tassign stream_valid[0] = from_input_tvalid, stream_ready[0] = from_input_tready;
\tassign stream_valid[1] = work_out0_tvalid, stream_ready[1] = work_out0_tready;
\tassign stream_valid[2] = fifo_out0_tvalid, stream_ready[2] = fifo_out0_tready;
"""
# Wires of the top module, twice per cycle: before the rising edge, and after it, where nothing is settled yet.
RAW = """$version made by hand $end
$timescale 1ps $end
 $scope module TOP $end
  $var wire 1 c ap_clk $end
  $scope module bskernel_top $end
   $var wire 1 c ap_clk $end
   $var wire 8 # from_input_tdata [7:0] $end
   $var wire 1 v from_input_tvalid $end
   $var wire 1 r from_input_tready $end
   $var wire 8 d work_out0_tdata [7:0] $end
   $var wire 1 w work_out0_tvalid $end
   $var wire 1 s work_out0_tready $end
   $var wire 8 e fifo_out0_tdata [7:0] $end
   $var wire 1 x fifo_out0_tvalid $end
   $var wire 1 t fifo_out0_tready $end
   $var wire 32 f fifo_count [31:0] $end
  $upscope $end
 $upscope $end
$enddefinitions $end
#32
0c
b11110001 #
1v
1r
b00000000 d
0w
1s
b00000000 e
0x
0t
b00000000000000000000000000000000 f
#33
1c
b01010101 #
#34
0c
b10000111 #
b11001000 d
1w
0s
#35
1c
#36
0c
1s
0v
b00000000000000000000000000000001 f
"""


def make_design() -> Design:
    def stream(source: str | None, sink: str | None, form: StreamFormat) -> Stream:
        name = f"{source or 'input'} -> {sink or 'output'}"
        return Stream(name=name, tensor="t", source=source, sink=sink, format=form)

    streams = (stream(None, "work", PAIR), stream("work", "fifo", BYTE), stream("fifo", None, BYTE))
    return Design(
        sources=("top.sv",), input=PAIR, output=BYTE, layers=("work", "fifo"), streams=streams,
        fifos=(Fifo(name="fifo", width=8, depth=2),), estimated_cycles=2,
    )  # fmt: skip


@pytest.fixture
def written(tmp_path: Path) -> Path:
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "top.sv").write_text(TOP)
    (tmp_path / "raw.vcd").write_text(RAW)
    assert write_waves(tmp_path / "raw.vcd", tmp_path / "rtl", make_design(), tmp_path / "waves") == 3
    return tmp_path / "waves"


def test_each_stream_is_at_its_source_and_at_its_sink_under_the_layers_names(written: Path) -> None:
    names = Waveform(written / VCD).names
    for place in ("input", "output", "layers.work.in0", "layers.work.out0", "layers.fifo.in0", "layers.fifo.out0"):
        for signal in ("valid", "ready", "moves", "stalled", "starved", "frame", "beat"):
            assert f"accelerator.{place}.{signal}" in names
    assert names["accelerator.layers.work.out0.moves"] == names["accelerator.layers.fifo.in0.moves"]
    assert names["accelerator.input.value_1"] == names["accelerator.layers.work.in0.value_1"]
    assert "accelerator.layers.fifo.fill" in names
    assert len(set(names.values())) == 2 + 1 + 3 * 7 + 2 + 1 + 1  # clock and cycle, fill, three streams


def test_a_cycle_is_one_step_and_shows_what_was_there_before_the_rising_edge(written: Path) -> None:
    wave = Waveform(written / VCD)

    def seen(name: str) -> list[object]:
        return wave.sampled(f"accelerator.{name}", CYCLE_NS)

    assert seen("cycle") == [0, 1, 2]
    # The first value is in the lowest bits; two moved beats of two are a frame.
    assert seen("input.value_0") == [1, 7, "x"]
    assert seen("input.value_1") == [-1, -8, "x"]
    assert seen("input.moves") == ["1", "1", "0"]
    assert seen("input.frame") == [0, 0, 1]
    assert seen("input.beat") == [0, 1, 0]
    assert seen("input.starved") == ["0", "0", "1"]
    assert seen("layers.work.out0.value") == ["x", 200, 200]
    assert seen("layers.work.out0.stalled") == ["0", "1", "0"]
    assert seen("layers.work.out0.moves") == ["0", "0", "1"]
    assert seen("output.stalled") == seen("output.starved") == ["0", "0", "0"]
    assert seen("layers.fifo.fill") == [0, 0, 1]


def test_the_view_names_signals_that_are_there(written: Path) -> None:
    names = Waveform(written / VCD).names
    lines = (written / SAVE_FILE).read_text().splitlines()
    paths = [line.partition("[")[0] for line in lines if line.startswith("accelerator.")]
    assert len(paths) > 15
    assert set(paths) <= set(names)
    assert "-work -> fifo" in lines


def test_the_same_wires_give_the_same_bytes(written: Path, tmp_path: Path) -> None:
    write_waves(tmp_path / "raw.vcd", tmp_path / "rtl", make_design(), tmp_path / "again")
    for name in (VCD, SAVE_FILE):
        assert (tmp_path / "again" / name).read_bytes() == (written / name).read_bytes()


def test_a_netlist_has_its_input_and_output_and_wide_beats_are_one_word(tmp_path: Path) -> None:
    wide = StreamFormat(width=72, beats=1, parallel=17, bits=4, signed=False, datatype="UINT4", shape=(17,))
    design = Design(
        sources=(), input=wide, output=BYTE, layers=(), streams=(), fifos=(), estimated_cycles=2,
    )  # fmt: skip
    assert [stream.places for stream in find_streams(tmp_path, design)] == [(("input",),), (("output",),)]
    raw = RAW.replace("from_input_tdata [7:0]", "in0_V_TDATA [71:0]").replace("from_input_t", "in0_V_T")
    raw = raw.replace("in0_V_Tvalid", "in0_V_TVALID").replace("in0_V_Tready", "in0_V_TREADY")
    (tmp_path / "raw.vcd").write_text(raw)
    write_waves(tmp_path / "raw.vcd", tmp_path, design, tmp_path / "waves")
    wave = Waveform(tmp_path / "waves" / VCD)
    assert wave.sampled("accelerator.input.data", CYCLE_NS) == [0b11110001, 0b10000111, "x"]
    assert not any("layers." in name for name in wave.names)


def test_a_simulation_that_stopped_within_a_line_gives_the_cycles_before_it(tmp_path: Path) -> None:
    (tmp_path / "top.sv").write_text(TOP)
    (tmp_path / "raw.vcd").write_text(RAW[: RAW.index("#36")])
    assert write_waves(tmp_path / "raw.vcd", tmp_path, make_design(), tmp_path / "waves") == 2
    (tmp_path / "raw.vcd").write_text(RAW[: RAW.index("$enddefinitions")])
    assert write_waves(tmp_path / "raw.vcd", tmp_path, make_design(), tmp_path / "none") == 0
