"""Check what cannot be stitched, before any RTL is generated."""

from __future__ import annotations

from typing import Any

from bskernel_protocol import FailureCategory

from bskernel_executors.sdk import StepFailure

_MEMORY = "internal_decoupled"
_MUST_BE_0 = ("pumpedCompute", "pumpedMemory", "runtime_writeable_weights", "dynamic_mode")
_LATER = ("Shuffle",)  # FINN takes these apart after the folding


def find_streamed_inputs(model: Any, node: Any) -> list[int]:
    """Find the inputs of a layer that are streams: those that are not constant, such as weights."""
    return [at for at, name in enumerate(node.input) if name and model.get_initializer(name) is None]


def find_wrong_ends(model: Any) -> list[str]:
    """Return what is wrong with the inputs and outputs of a network: a stitched design has one of each."""
    wrong = []
    for what, tensors in (("inputs", model.graph.input), ("outputs", model.graph.output)):
        names = [tensor.name for tensor in tensors if model.get_initializer(tensor.name) is None]
        if len(names) != 1:
            wrong.append(f"the network has {len(names)} {what} ({', '.join(names)}), but a stitched design has one")
    return wrong


def refuse_wrong_ends(model: Any) -> None:
    """Raise StepFailure (kernel) for a network with several inputs or outputs."""
    ends = find_wrong_ends(model)
    if ends:
        hint = 'join them in the network, or build each part by itself; build.flow = "estimate" or "codegen" takes it'
        raise StepFailure(category="kernel", message="; ".join(ends), hint=hint)


def _check_streams(model: Any) -> list[str]:
    """Return what keeps the tensors from being streams of a design with one input and one output."""
    graph = model.graph
    wrong = find_wrong_ends(model)
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


def _find_wrong_attributes(name: str, kind: str, instance: Any) -> list[str]:
    """Return the attributes of a layer that its RTL does not have, with the value that it has."""
    wanted = dict.fromkeys(_MUST_BE_0, 0) | ({"mem_mode": _MEMORY} if kind.startswith(("MVAU", "VVAU")) else {})
    types = instance.get_nodeattr_types()
    values = {key: instance.get_nodeattr(key) for key in wanted if key in types}
    return [
        f"{name}: {key} is {value}, but the open flow has RTL for {key} = {wanted[key]} only"
        for key, value in values.items()
        if value != wanted[key]
    ]


def _find_wrong_layers(model: Any) -> list[str]:
    """Return what keeps layers from being RTL in a stitched design."""
    from qonnx.custom_op.registry import getCustomOp

    wrong = []
    for node in model.graph.node:
        name, kind = node.name, node.op_type
        if node.domain.partition(".")[0] != "finn":
            wrong.append(f"{name} ({kind}) is not a hardware layer: leave it to the host")
            continue
        if kind.endswith("_hls") and not kind.startswith(_LATER):
            wrong.append(f"{name} ({kind}) is written in HLS, which open tools do not read")
        wrong += _find_wrong_attributes(name, kind, getCustomOp(node))
    return wrong


def _refuse(wrong: list[str], category: FailureCategory) -> None:
    if wrong:
        hint = "correct folding_config or specialize_layers_config; prefer says why a layer has no RTL (require_rtl)"
        raise StepFailure(category=category, message=wrong[0], cause=tuple(wrong[1:]), hint=hint)


def check_folded(model: Any) -> None:
    """Raise StepFailure (config) if the user's files ask for what RTL layers do not have, with all reasons."""
    _refuse(_find_wrong_layers(model), "config")


def check_stitchable(model: Any) -> None:
    """Raise StepFailure (kernel) if layers cannot be stitched, with all reasons."""
    _refuse(_check_streams(model) + _find_wrong_layers(model), "kernel")
