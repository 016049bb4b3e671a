"""Compute in Python what travels through every stream of a design, for a few frames."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec

from bskernel_executors.quality.samples import write_arrays
from bskernel_executors.sdk import StepFailure, parameter


class ExpectationParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `expect`."""

    frames: Annotated[int, parameter("frames of the reference, from the first", unit="frames")] = 4

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"frames is {self.frames}, but at least 1 is needed")


def _execute_in_python(instance: Any, context: dict[str, Any], graph: Any) -> None:
    """Execute a layer as FINN's Python does, whatever backend it is specialized for."""
    python: Any = next(
        cls for cls in type(instance).__mro__ if "execute_node" in vars(cls) and "Backend" not in cls.__name__
        and not cls.__name__.endswith(("_rtl", "_hls"))
    )  # fmt: skip
    python.execute_node(instance, context, graph)


def _find_taker(name: str, graph: Any) -> Any | None:
    """Find the node that takes a tensor, past FIFOs and width converters."""
    taker = next((node for node in graph.node if name in node.input), None)
    if taker is not None and taker.op_type.startswith(("StreamingFIFO", "StreamingDataWidthConverter")):
        return _find_taker(taker.output[0], graph)
    return taker


def _order_windows(node: Any, context: dict[str, Any], graph: Any) -> None:
    """Put a sliding window's output in the order of the stream to a depthwise unit: PE channels of the whole window.

    FINN's Python gives windows with all channels, but its depthwise unit reads what the hardware streams.
    """
    from qonnx.custom_op.registry import getCustomOp

    taker = _find_taker(node.output[0], graph) if node.op_type.startswith("ConvolutionInputGenerator") else None
    if taker is None or not taker.op_type.startswith("VVAU"):
        return
    unit = getCustomOp(taker)
    channels, pe = unit.get_nodeattr("Channels"), unit.get_nodeattr("PE")
    windows = context[node.output[0]]
    parts = windows.reshape(*windows.shape[:-1], -1, channels // pe, pe)
    context[node.output[0]] = parts.swapaxes(-3, -2).reshape(windows.shape)


def compute_tensors(model: Any, frame: Any) -> dict[str, Any]:
    """Execute one frame of shape (1, values); return every tensor that is no constant, by name."""
    from qonnx.custom_op.registry import getCustomOp

    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    context = model.make_empty_exec_context()
    taken = next(tensor.name for tensor in graph.input if tensor.name not in constants)
    context[taken] = frame.reshape(model.get_tensor_shape(taken))
    for node in graph.node:
        _execute_in_python(getCustomOp(node), context, graph)
        _order_windows(node, context, graph)
    streamed = {taken, *(name for node in graph.node for name in node.output)}
    return {name: context[name] for name in sorted(streamed)}


def write_expectations(model: Any, reference: Path, count: int, out: Path) -> int:
    """Write tensors.npz: integers of every streamed tensor, frames first. Returns the number of frames.

    Raises StepFailure (verification) if the layers compute something else than the reference, already in Python.
    """
    import numpy as np
    from qonnx.transformation.general import SortGraph

    model = model.transform(SortGraph())
    inputs, outputs = (
        np.load(reference / f"{name}.npy", allow_pickle=False)[:count] for name in ("inputs", "outputs")
    )
    frames = [compute_tensors(model, frame[None].astype(np.float32)) for frame in inputs]
    tensors = {name: np.stack([frame[name].reshape(-1) for frame in frames]).astype(np.int64) for name in frames[0]}
    found = tensors[model.graph.output[0].name]
    wrong = np.flatnonzero((found != outputs.reshape(found.shape)).any(axis=1))
    if len(wrong):
        raise StepFailure(
            category="verification",
            message=f"frame {wrong[0]}: the layers compute something else than the model, in Python already",
            hint="a step between reference and here changed what the network computes; quality.verify = "
            '"steps" finds it',
        )
    write_arrays(tensors, out / "tensors.npz")
    return len(frames)
