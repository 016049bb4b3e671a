"""Turn a FINN model into a design for open tools: insert streams, then stitch the layers."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from bskernel_protocol import pretty_json

from bskernel_executors.exchange.design import DESIGN, Design, Fifo, StreamFormat
from bskernel_executors.exchange.fifo_config import read_fifo_depths
from bskernel_executors.finn_step.layer_config import refuse_unknown
from bskernel_executors.finn_step.parameters import Part
from bskernel_executors.finn_step.top_module import LayerInstance, order_sources, write_top
from bskernel_executors.sdk import StepFailure, parameter

_CHAIN = "only chains of RTL layers can be stitched"
_HLS = "is written in HLS, which needs Vitis HLS: prefer RTL (step prefer), or leave the layer to the host"
_ONE_BIT = "BIPOLAR"
_MUST_BE_0 = ("pumpedCompute", "pumpedMemory", "runtime_writeable_weights", "dynamic_mode")


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

    _check_chain(model)
    model = model.transform(InsertDWC())
    for node in model.graph.node:
        instance = getCustomOp(node)
        instance.set_nodeattr("inFIFODepths", [params.fifo_depth])
        instance.set_nodeattr("outFIFODepths", [params.fifo_depth])
    model = model.transform(InsertFIFO(create_shallow_fifos=True, ram_style=params.ram_style))
    model = model.transform(SpecializeLayers(params.fpga_part))
    model = model.transform(GiveUniqueNodeNames()).transform(GiveReadableTensorNames())
    if fifo_config is None:
        return model
    fifos = [node.name for node in model.graph.node if node.op_type.startswith("StreamingFIFO")]
    unknown = [name for name in read_fifo_depths(fifo_config).fifo_depths if name not in fifos]
    refuse_unknown("fifo_config", "FIFO", unknown, fifos)
    return model.transform(ApplyFIFODepthsFromFile(fifo_config))


def _explain_hls(instance: Any, kind: str) -> str:
    """Explain why a layer is not RTL, if the reason is known; the text precedes `_HLS`."""
    if kind != "MVAU_hls":
        return ""
    if instance.get_nodeattr("noActivation") == 0:
        return "it contains thresholds: set standalone_thresholds = true; it "
    for what, datatype in (("weights", instance.get_input_datatype(1)), ("inputs", instance.get_input_datatype(0))):
        if datatype.bitwidth() < 2:
            return f"its {what} are {datatype.name}, but the RTL unit takes at least two bits; it "
    return ""


def _check_chain(model: Any) -> None:
    """Raise StepFailure (kernel) if layers cannot be stitched, with all reasons."""
    from qonnx.custom_op.registry import getCustomOp

    wrong = []
    for node in model.graph.node:
        name, kind = node.name, node.op_type
        if node.domain.partition(".")[0] != "finn":
            wrong.append(f"{name} ({kind}) is not a hardware layer: leave it to the host")
            continue
        instance = getCustomOp(node)
        if kind.endswith("_hls"):
            wrong.append(f"{name} ({kind}): {_explain_hls(instance, kind)}{_HLS}")
        types = instance.get_nodeattr_types()
        values = {key: instance.get_nodeattr(key) for key in ("mem_mode", *_MUST_BE_0) if key in types}
        if kind.startswith(("MVAU", "VVAU")) and values.get("mem_mode") != "internal_decoupled":
            wrong.append(f"{name} has mem_mode {values.get('mem_mode')}, but only internal_decoupled can be stitched")
        wrong += [f"{name} has {key} = {values[key]}, but it must be 0" for key in _MUST_BE_0 if values.get(key)]
        if len(model.find_direct_successors(node) or ()) > 1 or len(model.find_direct_predecessors(node) or ()) > 1:
            wrong.append(f"{name} joins or splits streams, but {_CHAIN}")
    if wrong:
        raise StepFailure(category="kernel", message=wrong[0], cause=tuple(wrong[1:]))


def _describe_stream(instance: Any, *, output: bool) -> StreamFormat:
    side = "output" if output else "input"
    datatype = getattr(instance, f"get_{side}_datatype")()
    folded = [int(size) for size in getattr(instance, f"get_folded_{side}_shape")()]
    width = instance.get_outstream_width_padded() if output else instance.get_instream_width_padded()
    beats = 1
    for size in folded[:-1]:
        beats *= size
    return StreamFormat(
        width=int(width),
        beats=beats,
        parallel=folded[-1],
        bits=datatype.bitwidth(),
        signed=datatype.signed(),
        datatype=datatype.name,
        shape=tuple(int(size) for size in getattr(instance, f"get_normal_{side}_shape")()),
    )


def stitch(model: Any, out: Path) -> Design:
    """Write a self-contained design of a model whose RTL is generated. Raises StepFailure (kernel)."""
    from qonnx.custom_op.registry import getCustomOp

    _check_chain(model)
    files: dict[str, bytes] = {}
    layers = []
    instances = [getCustomOp(node) for node in model.graph.node]
    for node, instance in zip(model.graph.node, instances, strict=True):
        layers.append(_make_instance(node, instance, files))
    try:
        files["top.sv"] = write_top(layers).encode()
    except ValueError as error:
        raise StepFailure(category="kernel", message=str(error), hint="run insert_streams first") from error
    cycles = [int(instance.get_exp_cycles()) for instance in instances]
    design = Design(
        sources=order_sources(name for name in files if name.endswith((".v", ".sv"))),
        input=_describe_stream(instances[0], output=False),
        output=_describe_stream(instances[-1], output=True),
        layers=tuple(node.name for node in model.graph.node),
        fifos=tuple(
            Fifo(name=node.name, width=int(instance.get_instream_width()), depth=int(instance.get_nodeattr("depth")))
            for node, instance in zip(model.graph.node, instances, strict=True)
            if node.op_type.startswith("StreamingFIFO")
        ),
        streams=(*(f"into {node.name}" for node in model.graph.node), "output"),
        estimated_cycles=max(cycles),
    )
    files[DESIGN] = pretty_json(design).encode()
    for name, data in files.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_bytes(data)
    return design


def _make_instance(node: Any, instance: Any, files: dict[str, bytes]) -> LayerInstance:
    """Make one layer's instance, and add its sources and memories to `files`."""
    folder = Path(instance.get_nodeattr("code_gen_dir_ipgen"))
    top = instance.get_nodeattr("gen_top_module") or node.name
    generated: list[Path] = []
    for path in map(Path, instance.get_rtl_file_list(abspath=True)):
        if path.suffix not in {".v", ".sv"} or "gauge" in path.name:
            continue
        if path.parent == folder:
            generated.append(path)
        else:
            files[f"lib/{path.name}"] = path.read_bytes()
    for path in sorted(folder.glob("*.dat")):
        name = path.name if path.name.startswith(node.name) else f"{node.name}_{path.name}"
        files[f"mem/{name}"] = path.read_bytes()
    memory = next(iter(folder.glob("*_memstream_wrapper.v")), None)
    if memory is not None:
        for name in ("memstream_axi.sv", "memstream.sv", "axilite.sv"):
            part = "axi" if name == "axilite.sv" else "memstream"
            files[f"lib/{name}"] = (_rtllib() / part / "hdl" / name).read_bytes()
        generated.append(memory)
    texts = {}
    for path in generated:
        text = path.read_text(encoding="utf-8").replace(f"{folder}/", f"mem/{node.name}_")
        texts[path.name] = text.replace(f'"./{node.name}_', f'"mem/{node.name}_')
    files |= {f"hdl/{name}": text.encode() for name, text in texts.items()}
    source = next((text for text in texts.values() if re.search(rf"\bmodule {re.escape(top)}[\s#(]", text)), None)
    if source is None:
        raise StepFailure(category="kernel", message=f"{node.name}: its sources do not define module {top}")
    width = int(instance.get_instream_width_padded(1)) if memory is not None else 0
    return LayerInstance(
        name=node.name,
        module=top,
        source=source,
        width_in=int(instance.get_instream_width_padded()),
        width_out=int(instance.get_outstream_width_padded()),
        memory=memory.stem if memory is not None else None,
        memory_source=texts[memory.name] if memory is not None else "",
        memory_width=width,
        is_fifo=node.op_type.startswith("StreamingFIFO"),
    )


def _rtllib() -> Path:
    import finn

    return Path(os.path.dirname(finn.__file__ or "")) / "finn-rtllib"  # noqa: PTH120


def is_library_edited() -> bool:
    """Return whether the installed RTL library has the edits of image.toml, by the queue of the matrix unit."""
    unit = _rtllib() / "mvu" / "mvu_vvu_axi.sv"
    return unit.is_file() and "5 + $clog2(SIMD) + (SIMD == 1)" in unit.read_text(encoding="utf-8")
