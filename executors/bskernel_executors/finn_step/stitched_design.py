"""Stitch the layers of a FINN model, whose RTL is generated, into one self-contained design."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path
from typing import Any

from bskernel_protocol import pretty_json

from bskernel_executors.exchange.design import DESIGN, Design, Fifo, Stream, StreamFormat
from bskernel_executors.exchange.file_tree import write_files
from bskernel_executors.finn_step.stitch_check import check_stitchable, find_streamed_inputs
from bskernel_executors.finn_step.stream_graph import LayerInstance, Port, StreamEdge, find_edges
from bskernel_executors.finn_step.top_module import order_sources, write_top
from bskernel_executors.sdk import StepFailure


def _describe_stream(instance: Any, at: int, *, output: bool) -> StreamFormat:
    """Describe the stream of an input or output of a layer."""
    side = "output" if output else "input"
    datatype = getattr(instance, f"get_{side}_datatype")(at)
    folded = [int(size) for size in getattr(instance, f"get_folded_{side}_shape")(at)]
    width = instance.get_outstream_width_padded(at) if output else instance.get_instream_width_padded(at)
    return StreamFormat(
        width=int(width),
        beats=math.prod(folded[:-1]),
        parallel=folded[-1],
        bits=datatype.bitwidth(),
        signed=datatype.signed(),
        datatype=datatype.name,
        shape=tuple(int(size) for size in getattr(instance, f"get_normal_{side}_shape")(at)),
    )


def stitch(model: Any, out: Path) -> Design:
    """Write a self-contained design of a model whose RTL is generated. Raises StepFailure (kernel)."""
    from qonnx.custom_op.registry import getCustomOp
    from qonnx.transformation.general import SortGraph

    check_stitchable(model)
    model = model.transform(SortGraph())
    files: dict[str, bytes] = {}
    instances = {node.name: getCustomOp(node) for node in model.graph.node}
    layers = [_make_instance(model, node, instances[node.name], files) for node in model.graph.node]
    taken = next(item.name for item in model.graph.input if model.get_initializer(item.name) is None)
    given = model.graph.output[0].name
    try:
        files["top.sv"] = write_top(layers, taken, given).encode()
        streams = [_make_stream(edge, instances) for edge in find_edges(layers, taken, given)]
    except ValueError as error:
        raise StepFailure(category="kernel", message=str(error), hint="run insert_streams first") from error
    design = Design(
        sources=order_sources(name for name in files if name.endswith((".v", ".sv"))),
        input=next(stream.format for stream in streams if stream.source is None),
        output=streams[-1].format,
        layers=tuple(instances),
        fifos=tuple(
            Fifo(name=name, width=int(instance.get_instream_width()), depth=int(instance.get_nodeattr("depth")))
            for name, instance in instances.items()
            if instance.onnx_node.op_type.startswith("StreamingFIFO")
        ),
        streams=tuple(streams),
        estimated_cycles=max(int(instance.get_exp_cycles()) for instance in instances.values()),
    )
    files[DESIGN] = pretty_json(design).encode()
    write_files(out, files)
    return design


def _make_stream(edge: StreamEdge, instances: dict[str, Any]) -> Stream:
    """Describe an edge, by the layer that outputs it; the design's input by the layer that takes it."""
    if edge.source is not None:
        found = _describe_stream(instances[edge.source], edge.output, output=True)
    else:
        found = _describe_stream(instances[edge.sink or ""], edge.input, output=False)
    return Stream(name=edge.name, tensor=edge.tensor, source=edge.source, sink=edge.sink, format=found)


def _make_instance(model: Any, node: Any, instance: Any, files: dict[str, bytes]) -> LayerInstance:
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
        inputs=tuple(
            Port(name=f"in{at}_V", tensor=node.input[at], width=int(instance.get_instream_width_padded(at)))
            for at in find_streamed_inputs(model, node)
        ),
        outputs=tuple(
            Port(name=f"out{at}_V", tensor=name, width=int(instance.get_outstream_width_padded(at)))
            for at, name in enumerate(node.output)
        ),
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
