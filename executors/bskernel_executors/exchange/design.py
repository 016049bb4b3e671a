"""A stitched design, as design.json describes it: sources, streams, FIFOs."""

from __future__ import annotations

from pathlib import Path

import msgspec

from bskernel_executors.exchange.artifact_file import read_artifact

DESIGN = "design.json"
NETWORK = "bskernel_top"  # the top module of a stitched design
# Values that a FIFO holds, whatever depth is asked for: four stages of its shift register and an output register
# (DEPTH_ACTUAL in finn-rtllib/fifo/hdl/fifo.sv of FINN+ 1.6.1).
SMALLEST_FIFO = 5


class StreamFormat(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a frame travels through an AXI stream of the design.

    A frame of `shape` (C order) goes in `beats` beats of `parallel` values each, the first value in the lowest bits.
    """

    width: int  # bits of TDATA, a multiple of 8
    beats: int  # per frame
    parallel: int  # values per beat
    bits: int  # per value
    signed: bool
    datatype: str  # QONNX's name
    shape: tuple[int, ...]


class Stream(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An AXI stream of the design. It has one source and one sink: layers fork and join."""

    name: str  # SOURCE -> SINK
    tensor: str  # of the model: its values travel here
    source: str | None  # the layer that outputs it; None for the design's input
    sink: str | None  # the layer that takes it; None for the design's output
    format: StreamFormat


class Fifo(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One FIFO of the design."""

    name: str  # of its layer
    width: int  # bits per value
    depth: int  # values, as asked for


class Design(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """design.json: what simulators and synthesisers must know. A netlist has neither FIFOs nor monitored streams."""

    top: str = NETWORK
    sources: tuple[str, ...]  # relative paths, in the order in which a tool must read them
    input: StreamFormat
    output: StreamFormat
    layers: tuple[str, ...]
    fifos: tuple[Fifo, ...]  # fifo_maxcount[32 * i +: 32] of the monitored top belongs to fifos[i]
    smallest_fifo: int = SMALLEST_FIFO
    streams: tuple[Stream, ...]  # stream_valid[i] and stream_ready[i] of the monitored top belong to streams[i]
    estimated_cycles: int  # the largest of FINN's cycle estimates, per frame


_DECODER = msgspec.json.Decoder(Design)


def read_design(folder: Path) -> Design:
    """Read the design in a folder. Raises StepFailure (config)."""
    writer = "finn-step:rtl-stitch, or yosys-synth:join for a netlist,"
    return read_artifact(folder / DESIGN, _DECODER, f"{folder.name}/{DESIGN}", writer=writer)
