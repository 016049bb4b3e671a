"""Layers that copy, join, cut, repeat or rename streams and compute nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from finn.custom_op.fpgadataflow.concat import StreamingConcat
from finn.custom_op.fpgadataflow.duplicatestreams import DuplicateStreams
from finn.custom_op.fpgadataflow.fmpadding_pixel import FMPadding_Pixel
from finn.custom_op.fpgadataflow.lookup import Lookup
from finn.custom_op.fpgadataflow.replicate_stream import ReplicateStream
from finn.custom_op.fpgadataflow.split import StreamingSplit
from finn.custom_op.fpgadataflow.squeeze import Squeeze
from finn.custom_op.fpgadataflow.unsqueeze import Unsqueeze
from finn.custom_op.fpgadataflow.upsampler import UpsampleNearestNeighbour

from bskernel_executors.open_rtl.layer import OpenLayer, Resources, find_kind, write_memory
from bskernel_executors.open_rtl.resources import (
    count_concat,
    count_fork,
    count_memory,
    count_register,
    count_resize,
    count_split,
)
from bskernel_executors.open_rtl.wrapper import HdlInstance, Value, write_core, write_instance

_SIGNALS = ("data", "valid", "ready")
_MEMORY = "table.dat"


def connect(stream: str) -> dict[str, str]:
    """Connect the ports in_... or out_... of a module to a stream of the same direction."""
    side = "in" if stream.startswith("in") else "out"
    return {f"{side}_{part}": f"{stream}_{part}" for part in _SIGNALS}


def _gather(side: str, count: int, **renamed: str) -> dict[str, str]:
    """Connect a module's ports to `count` streams of one side, stream 0 in the lowest bits. Data may be renamed."""
    streams = [f"{side}{at}" for at in reversed(range(count))]
    names = {part: [f"{stream}_{renamed.get(part, part)}" for stream in streams] for part in _SIGNALS}
    return {f"{side}_{part}": f"{{{', '.join(listed)}}}" for part, listed in names.items()}


class _CopyLayer(OpenLayer):
    """One stream copied to several, which take the copies independently, two beats apart at most."""

    sources = ("bsk_register.sv", "bsk_fork.sv")

    def estimate(self) -> Resources:
        """Estimate a register slice per output."""
        return Resources(lut=count_fork(len(self.onnx_node.output), int(self.get_instream_width())))

    def write_body(self, model: Any, folder: Path) -> str:  # noqa: ARG002
        """Return the instance of bsk_fork."""
        count = len(self.onnx_node.output)
        parameters: dict[str, Value] = {"N": count, "WIDTH": int(self.get_instream_width())}
        return write_core("bsk_fork", parameters, connect("in0") | _gather("out", count))


class ForkLayer(_CopyLayer, DuplicateStreams):  # type: ignore[misc]
    """A fork of the network."""

    operator = "DuplicateStreams"


class ReplicationLayer(_CopyLayer, ReplicateStream):  # type: ignore[misc]
    """FINN's other operator for a fork, with other attributes."""

    operator = "ReplicateStream"


class ConcatLayer(OpenLayer, StreamingConcat):  # type: ignore[misc]
    """The channels of several streams one after the other, as numbers of one type."""

    operator = "StreamingConcat"
    sources = ("bsk_register.sv", "bsk_extend.sv", "bsk_concat.sv")

    @classmethod
    def find_refusal(cls, layer: Any) -> str | None:
        """Refuse what is no integer, and channels that SIMD does not divide."""
        types = [layer.get_input_datatype(at) for at in range(layer.get_n_inputs())]
        wrong = next((datatype.name for datatype in types if not datatype.is_integer()), None)
        if wrong is not None:
            return f"it takes {wrong}, but the layer joins integers"
        return _find_unfolded(layer)

    def estimate(self) -> Resources:
        """Estimate a multiplexer and a register slice."""
        return Resources(lut=count_concat(self.get_n_inputs(), int(self.get_outstream_width())))

    def write_body(self, model: Any, folder: Path) -> str:  # noqa: ARG002
        """Return the instance of bsk_concat, behind one bsk_extend per input."""
        lanes, bits = int(self.get_nodeattr("SIMD")), self.get_output_datatype().bitwidth()
        count, body = self.get_n_inputs(), ""
        for at in range(count):
            datatype = self.get_input_datatype(at)
            parameters: dict[str, Value] = {"LANES": lanes, "IN_BITS": datatype.bitwidth(), "OUT_BITS": bits}
            parameters["KIND"] = find_kind(datatype)
            body += f"\twire [{lanes * bits - 1}:0] in{at}_wide;\n"
            ports = {"in_data": f"in{at}_data", "out_data": f"in{at}_wide"}
            body += write_instance(
                HdlInstance(
                    module="bsk_extend", name=f"extend{at}_i", parameters=parameters, ports=ports, is_clocked=False
                )
            )
        folds = tuple(int(self.get_folded_input_shape(at)[-2]) for at in range(count))
        ports = _gather("in", count, data="wide") | connect("out0")
        return body + write_core("bsk_concat", {"N": count, "WIDTH": lanes * bits, "FOLDS": folds}, ports)


class SplitLayer(OpenLayer, StreamingSplit):  # type: ignore[misc]
    """The channels of a stream cut into several streams."""

    operator = "StreamingSplit"
    sources = ("bsk_register.sv", "bsk_split.sv")

    @classmethod
    def find_refusal(cls, layer: Any) -> str | None:
        """Refuse channels that SIMD does not divide."""
        return _find_unfolded(layer)

    def estimate(self) -> Resources:
        """Estimate a register slice per output."""
        return Resources(lut=count_split(self.get_n_outputs(), int(self.get_instream_width())))

    def write_body(self, model: Any, folder: Path) -> str:  # noqa: ARG002
        """Return the instance of bsk_split."""
        count = self.get_n_outputs()
        folds = tuple(int(self.get_folded_output_shape(at)[-2]) for at in range(count))
        parameters: dict[str, Value] = {"N": count, "WIDTH": int(self.get_instream_width()), "FOLDS": folds}
        return write_core("bsk_split", parameters, connect("in0") | _gather("out", count))


def _find_unfolded(layer: Any) -> str | None:
    simd = layer.get_nodeattr("SIMD")
    wrong = [size for size in layer.get_nodeattr("ChannelsPerStream") if simd and size % simd]
    return f"SIMD = {simd} does not divide the {wrong[0]} channels of a stream" if wrong else None


class UpsampleLayer(OpenLayer, UpsampleNearestNeighbour):  # type: ignore[misc]
    """Pixels and rows repeated a whole number of times."""

    operator = "UpsampleNearestNeighbour"
    sources = ("bsk_register.sv", "bsk_upsample.sv")

    @classmethod
    def find_refusal(cls, layer: Any) -> str | None:
        """Refuse sizes that are no multiples."""
        for out, size in (("HO", "HI"), ("WO", "WI")):
            if layer.get_nodeattr(out) % layer.get_nodeattr(size):
                return f"{out} = {layer.get_nodeattr(out)} is no multiple of {size} = {layer.get_nodeattr(size)}"
        return None

    def estimate(self) -> Resources:
        """Estimate counters, a register slice, and the memory of a row, or of a pixel if rows are not repeated."""
        width, folds = int(self.get_instream_width()), int(self.get_folded_input_shape()[-2])
        repeats_rows = self.get_nodeattr("HO") > self.get_nodeattr("HI")
        depth = folds * int(self.get_nodeattr("WI")) if repeats_rows else folds
        lut, bram = count_memory(width, depth) if depth > 1 else (0, 0)
        return Resources(lut=count_resize(width) + lut, bram=bram, bits=width * depth)

    def write_body(self, model: Any, folder: Path) -> str:  # noqa: ARG002
        """Return the instance of bsk_upsample."""
        height, width = int(self.get_nodeattr("HI")), int(self.get_nodeattr("WI"))
        parameters: dict[str, Value] = {
            "WIDTH": int(self.get_instream_width()),
            "FOLDS": int(self.get_folded_input_shape()[-2]),
            "PIXELS": width,
            "X": int(self.get_nodeattr("WO")) // width,
            "Y": int(self.get_nodeattr("HO")) // height,
        }
        return write_core("bsk_upsample", parameters, connect("in0") | connect("out0"))


class PixelPaddingLayer(OpenLayer, FMPadding_Pixel):  # type: ignore[misc]
    """Zeros between pixels, as a transposed convolution needs them."""

    operator = "FMPadding_Pixel"
    sources = ("bsk_register.sv", "bsk_pixel_padding.sv")

    def estimate(self) -> Resources:
        """Estimate counters and a register slice."""
        return Resources(lut=count_resize(int(self.get_instream_width())))

    def write_body(self, model: Any, folder: Path) -> str:  # noqa: ARG002
        """Return the instance of bsk_pixel_padding."""
        rows, pixels = map(int, self.get_nodeattr("ImgDim"))
        y, x = map(int, self.get_nodeattr("Stride"))
        parameters: dict[str, Value] = {
            "WIDTH": int(self.get_instream_width()),
            "FOLDS": int(self.get_folded_input_shape()[-2]),
            "PIXELS": pixels,
            "ROWS": rows,
            "X": x,
            "Y": y,
        }
        return write_core("bsk_pixel_padding", parameters, connect("in0") | connect("out0"))


class LookupLayer(OpenLayer, Lookup):  # type: ignore[misc]
    """A table of constants inside the layer."""

    operator = "Lookup"
    sources = ("bsk_register.sv", "bsk_lookup.sv")

    @classmethod
    def find_refusal(cls, layer: Any) -> str | None:
        """Refuse tables in external memory, and indices that are no unsigned integers."""
        if layer.get_nodeattr("mem_mode") != "internal_embedded":
            return f"its mem_mode is {layer.get_nodeattr('mem_mode')}, but the layer contains its table"
        index, value = layer.get_input_datatype(0), layer.get_output_datatype()
        if not index.is_integer() or index.signed():
            return f"its indices are {index.name}, but the layer takes unsigned integers"
        if not value.is_integer():
            return f"its table holds {value.name}, but the layer holds integers"
        return None

    def get_instream_width(self, ind: int = 0) -> int:
        """Return the bits of the indices' stream; the table has none."""
        return 0 if ind else int(super().get_instream_width(0))

    def estimate(self) -> Resources:
        """Estimate the table and a register slice."""
        width, depth = int(self.get_outstream_width()), int(self.get_nodeattr("NumEmbeddings"))
        lut, bram = count_memory(width, depth)
        return Resources(lut=count_register(width) + lut, bram=bram, bits=width * depth)

    def write_body(self, model: Any, folder: Path) -> str:
        """Return the instance of bsk_lookup."""
        table = model.get_initializer(self.onnx_node.input[1])
        write_memory(folder / _MEMORY, table, self.get_output_datatype())
        parameters: dict[str, Value] = {
            "INDEX_BITS": int(self.get_instream_width()),
            "WIDTH": int(self.get_outstream_width()),
            "DEPTH": len(table),
            "INIT_FILE": str(folder / _MEMORY),
        }
        return write_core("bsk_lookup", parameters, connect("in0") | connect("out0"))


class _WireLayer(OpenLayer):
    """Another shape of the same values in the same order: wires."""

    sources = ()

    def estimate(self) -> Resources:
        """Estimate nothing."""
        return Resources()

    def write_body(self, model: Any, folder: Path) -> str:  # noqa: ARG002
        """Return the assignments of one stream to the other."""
        return (
            "\tassign out0_data = in0_data;\n\tassign out0_valid = in0_valid;\n\tassign in0_ready = out0_ready;\n"
            "\twire unused = &{1'b0, ap_clk, ap_rst_n};\n"
        )


class SqueezeLayer(_WireLayer, Squeeze):  # type: ignore[misc]
    """Axes of size 1 removed."""

    operator = "Squeeze"


class UnsqueezeLayer(_WireLayer, Unsqueeze):  # type: ignore[misc]
    """Axes of size 1 added."""

    operator = "Unsqueeze"


STREAM_LAYERS: tuple[type[OpenLayer], ...] = (
    ForkLayer, ReplicationLayer, ConcatLayer, SplitLayer, UpsampleLayer, PixelPaddingLayer, LookupLayer,
    SqueezeLayer, UnsqueezeLayer,
)  # fmt: skip
