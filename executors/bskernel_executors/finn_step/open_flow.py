"""Prepare a FINN model for open tools: prefer RTL layers, insert width converters and FIFOs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from bskernel_executors.exchange.fifo_config import read_fifo_depths
from bskernel_executors.finn_step.layer_config import refuse_unknown
from bskernel_executors.finn_step.parameters import Part
from bskernel_executors.finn_step.stitch_check import check_stitchable
from bskernel_executors.lattice.devices import part_for_finn
from bskernel_executors.sdk import StepFailure, parameter

_ONE_BIT = "BIPOLAR"


class StreamParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `insert_streams`."""

    fpga_part: Annotated[Part, parameter("FPGA part", default_from="target.part")]
    fifo_depth: Annotated[
        int, parameter("depth of each FIFO between two layers, without a fifo_config", unit="values")
    ] = 32
    ram_style: Annotated[
        Literal["auto", "shift", "distributed", "block", "ultra"],
        parameter("memory that FIFOs are made of, without a fifo_config"),
    ] = "auto"

    def __post_init__(self) -> None:
        if self.fifo_depth < 2:
            raise ValueError(f"fifo_depth is {self.fifo_depth}, but a FIFO has a depth of at least 2")


class PreferenceParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `prefer`."""

    impl_style: Annotated[Literal["rtl", "hls", ""], parameter("preferred_impl_style of every layer")] = "rtl"
    layers: Annotated[dict[str, Literal["rtl", "hls", ""]], parameter("preferred_impl_style of single layers")] = {}
    require_rtl: Annotated[bool, parameter("fail if a layer has no RTL that open tools read")] = False
    fpga_part: Annotated[Part | None, parameter("FPGA part", default_from="target.part")] = None


def prefer(model: Any, params: PreferenceParameters) -> list[str]:
    """Set preferred_impl_style; return the layers whose one-bit weights were widened.

    FINN's RTL matrix unit takes weights of at least two bits, so BIPOLAR weights (-1, 1) become INT2.
    Raises StepFailure (config) for an unknown layer.
    """
    from qonnx.core.datatype import DataType
    from qonnx.custom_op.registry import getCustomOp

    names = [node.name for node in model.graph.node]
    unknown = [name for name in params.layers if name not in names]
    if unknown:
        raise StepFailure(
            category="config",
            message=f"parameters of prefer: layers: unknown layer {unknown[0]!r}",
            hint=f"layers: {', '.join(names)}",
        )
    widened = []
    for node in model.graph.node:
        instance = getCustomOp(node)
        style = params.layers.get(node.name, params.impl_style)
        if "preferred_impl_style" in instance.get_nodeattr_types():
            instance.set_nodeattr("preferred_impl_style", style)
        if style == "rtl" and node.op_type == "MVAU" and instance.get_nodeattr("weightDataType") == _ONE_BIT:
            if instance.get_nodeattr("binaryXnorMode") or instance.get_input_datatype(0).bitwidth() < 2:
                continue  # such a layer counts equal bits, or FINN's unit does not take its inputs
            instance.set_nodeattr("weightDataType", "INT2")
            model.set_tensor_datatype(node.input[1], DataType["INT2"])
            widened.append(node.name)
    return widened


def insert_streams(model: Any, params: StreamParameters, fifo_config: Path | None) -> Any:
    """Insert width converters and FIFOs between the layers, as RTL.

    Raises StepFailure: kernel for layers that cannot be stitched, config for an unknown FIFO.
    """
    from finn.transformation.fpgadataflow.insert_dwc import InsertDWC
    from finn.transformation.fpgadataflow.insert_fifo import InsertFIFO
    from finn.transformation.fpgadataflow.set_fifo_depths import ApplyFIFODepthsFromFile
    from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
    from qonnx.custom_op.registry import getCustomOp
    from qonnx.transformation.general import GiveReadableTensorNames, GiveUniqueNodeNames

    check_stitchable(model)
    model = model.transform(InsertDWC())
    for node in model.graph.node:
        instance = getCustomOp(node)
        instance.set_nodeattr("inFIFODepths", [params.fifo_depth] * len(node.input))
        instance.set_nodeattr("outFIFODepths", [params.fifo_depth] * len(node.output))
    model = model.transform(InsertFIFO(create_shallow_fifos=True, ram_style=params.ram_style))
    model = model.transform(SpecializeLayers(part_for_finn(params.fpga_part)))
    model = model.transform(GiveUniqueNodeNames()).transform(GiveReadableTensorNames())
    if fifo_config is None:
        return model
    fifos = [node.name for node in model.graph.node if node.op_type.startswith("StreamingFIFO")]
    unknown = [name for name in read_fifo_depths(fifo_config).fifo_depths if name not in fifos]
    refuse_unknown("fifo_config", "FIFO", unknown, fifos)
    return model.transform(ApplyFIFODepthsFromFile(fifo_config))
