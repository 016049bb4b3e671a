"""Check what cannot be stitched, before any RTL is generated."""

from __future__ import annotations

from typing import Any

from bskernel_executors.sdk import StepFailure

_HLS = "is written in HLS, which needs Vitis HLS: prefer RTL (step prefer), or leave the layer to the host"
_MUST_BE_0 = ("pumpedCompute", "pumpedMemory", "runtime_writeable_weights", "dynamic_mode")


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


def find_streamed_inputs(model: Any, node: Any) -> list[int]:
    """Find the inputs of a layer that are streams: those that are not constant, such as weights."""
    return [at for at, name in enumerate(node.input) if name and model.get_initializer(name) is None]


def _check_streams(model: Any) -> list[str]:
    """Return what keeps the tensors from being streams of a design with one input and one output."""
    graph = model.graph
    wrong = []
    for what, tensors in (("inputs", graph.input), ("outputs", graph.output)):
        names = [tensor.name for tensor in tensors if model.get_initializer(tensor.name) is None]
        if len(names) != 1:
            wrong.append(f"the network has {len(names)} {what} ({', '.join(names)}), but a stitched design has one")
    ends = {tensor.name for tensor in graph.output}
    sources = {name: node.name for node in graph.node for name in node.output}
    sources |= {tensor.name: "the network's input" for tensor in graph.input}
    for tensor, source in sources.items():
        sinks = [node.name for node in graph.node for name in node.input if name == tensor]
        sinks += ["the network's output"] if tensor in ends else []
        if model.get_initializer(tensor) is None and len(sinks) != 1:
            where = ", ".join(sinks) or "nowhere"
            wrong.append(
                f"{tensor} of {source} goes to {where}: a stream has one end, and a layer DuplicateStreams splits it"
            )
    return wrong


def check_stitchable(model: Any) -> None:
    """Raise StepFailure (kernel) if layers cannot be stitched, with all reasons."""
    from qonnx.custom_op.registry import getCustomOp

    wrong = _check_streams(model)
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
    if wrong:
        raise StepFailure(category="kernel", message=wrong[0], cause=tuple(wrong[1:]))
