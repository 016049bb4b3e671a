"""Execute a network for many frames, in the fastest way that agrees with frame-by-frame execution."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bskernel_executors.quality.batch import batch_size, make_batched
from bskernel_executors.quality.batched_node import NodeProgram
from bskernel_executors.quality.outputs import Outputs
from bskernel_executors.quality.programs import Program, is_plain, make_node_by_node, make_variant, make_whole
from bskernel_executors.quality.samples import fit_frames
from bskernel_executors.sdk import StepFailure

_RANKING = frozenset({"ArgMax", "LabelSelect", "TopK"})


class UnsupportedNetwork(StepFailure):
    """The network is sound, but of a form that evaluation cannot execute."""


class Network:
    """A model with one input for one frame. Its outputs are joined, unless all are those of a ranking."""

    def __init__(self, path: Path, name: str = "the model") -> None:
        """Load the model. Raises StepFailure (model_load) when it is of another kind; errors call it `name`."""
        from google.protobuf.message import DecodeError
        from qonnx.core.modelwrapper import ModelWrapper
        from qonnx.transformation.general import SortGraph
        from qonnx.transformation.infer_shapes import InferShapes

        try:
            model = ModelWrapper(str(path))
            if not model.check_all_tensor_shapes_specified():
                model = model.transform(InferShapes())
        except DecodeError as error:
            raise StepFailure(category="model_load", message=f"{name} is not an ONNX file, or is damaged") from error
        self._model: Any = model.transform(SortGraph())
        constants = {tensor.name for tensor in self._model.graph.initializer}
        inputs = [tensor.name for tensor in self._model.graph.input if tensor.name not in constants]
        if len(inputs) != 1:
            raise UnsupportedNetwork(
                category="model_load",
                message=f"{name} has {len(inputs)} inputs ({', '.join(inputs)}), but only networks with one can be "
                "evaluated",
                hint="without quality.samples the build goes on, not verified",
            )
        (self._input,) = inputs
        shape = self._model.get_tensor_shape(self._input)
        if not shape or shape[0] != 1 or any(size < 1 for size in shape):
            raise UnsupportedNetwork(
                category="model_load",
                message=f"input {self._input!r} of {name} has the shape {shape}, not that of one frame of known size",
                hint="export the network for one frame of fixed size, or set override_input_size in the step cleanup",
            )
        self.frame: tuple[int, ...] = tuple(shape[1:])
        self.datatype: Any = self._model.get_tensor_datatype(self._input)
        outputs = [tensor.name for tensor in self._model.graph.output]
        last = self._model.graph.node[-1]
        # TopK's first output holds the values, its last one their indices.
        self._ranks = last.op_type in _RANKING and last.output[-1] in outputs and set(outputs) <= set(last.output)
        self.outputs: list[str] = [last.output[-1]] if self._ranks else outputs
        self.is_plain = is_plain(self._model)

    def run(self, frames: Any) -> Outputs:
        """Execute frames of shape (N, *frame). Exceptions of the execution are passed on."""
        import numpy as np

        frames = frames.reshape(len(frames), *self.frame).astype(np.float32)
        return self._outputs_of(np.concatenate(list(self._rows(frames))))

    def run_variant(
        self, frames: Any, replace: Callable[[Any], NodeProgram | None], *, double: bool = False
    ) -> Outputs:
        """Execute frames one by one, some nodes in another way: `replace` returns the program of a node, or None."""
        import numpy as np

        frames = frames.reshape(len(frames), *self.frame).astype(np.float32)
        program = make_variant(self._model, self._input, replace, double=double)
        return self._outputs_of(np.concatenate([self._call(program, frame[None]) for frame in frames]))

    def find_nodes(self, *kinds: str) -> list[Any]:
        """Return the nodes of these operators."""
        return [node for node in self._model.graph.node if node.op_type in kinds]

    def run_all_tensors(self, frame: Any) -> dict[str, Any]:
        """Execute one frame of shape (1, *frame); return every tensor by name."""
        frame = frame.reshape(1, *self.frame)
        return make_variant(self._model, self._input, lambda _: None, double=False)(frame)

    @property
    def model(self) -> Any:
        """The ModelWrapper, with sorted nodes."""
        return self._model

    def _outputs_of(self, rows: Any) -> Outputs:
        shapes = [self._model.get_tensor_shape(name) for name in self.outputs]
        sizes = tuple(math.prod(shape) for shape in shapes) if len(shapes) > 1 else ()
        return Outputs(values=rows, ranks=self._ranks, sizes=sizes)

    def _rows(self, frames: Any) -> Iterator[Any]:
        import numpy as np

        size = batch_size(self._model, len(frames))
        # The slow way is certain: it checks the first and the last frame of the first batch.
        slow = self._slow()
        probes = (0, size - 1)
        expected = [self._call(slow, frames[at : at + 1]) for at in probes]
        for width, make in self._ways(size):
            try:
                program = make()
                first = self._padded(program, frames[:size], width)
            except Exception:  # noqa: BLE001, S112 - whatever the reason, the next way is tried
                continue
            if all(np.array_equal(first[at], row[0]) for at, row in zip(probes, expected, strict=True)):
                yield first
                for at in range(size, len(frames), size):
                    yield self._padded(program, frames[at : at + size], width)
                return
        for at in range(len(frames)):
            yield self._call(slow, frames[at : at + 1])

    def _ways(self, size: int) -> Iterator[tuple[int, Callable[[], Program]]]:
        """Yield ways to execute, the fastest first: frames per call, and a function that makes the program."""
        model, taken = self._model, self._input
        if self.is_plain:
            if size > 1:
                yield size, lambda: make_whole(make_batched(model, taken, size), taken)
            return
        if size > 1:
            yield size, lambda: make_node_by_node(model, taken, make_batched(model, taken, size), size)
        yield 1, lambda: make_node_by_node(model, taken)

    def _slow(self) -> Program:
        from qonnx.core.onnx_exec import execute_onnx

        if self.is_plain:
            return make_whole(self._model, self._input)
        return lambda frame: execute_onnx(self._model, {self._input: frame})

    def _call(self, program: Program, frames: Any) -> Any:
        """Execute as many frames as the program takes; return a row per frame."""
        import numpy as np

        found = program(frames)
        columns = [np.asarray(found[name]).reshape(len(frames), -1) for name in self.outputs]
        return np.concatenate(columns, axis=1)

    def _padded(self, program: Program, frames: Any, width: int) -> Any:
        """Execute any number of frames with a program that takes `width` frames per call."""
        import numpy as np

        rows = []
        for at in range(0, len(frames), width):
            part = frames[at : at + width]
            full = np.concatenate([part, np.repeat(part[-1:], width - len(part), axis=0)])
            rows.append(self._call(program, full)[: len(part)])
        return np.concatenate(rows)


class Networks(NamedTuple):
    """A stage's network: the model, with what the host computes before and after it."""

    body: Network
    parts: tuple[Network, ...]


def load_networks(model: Path, host: Path | None) -> Networks:
    """Load the model and the host's parts. Raises StepFailure (model_load)."""
    body = Network(model)
    head, tail = (
        [Network(host / f"{name}.onnx", f"the host's {name}")]
        if host is not None and (host / f"{name}.onnx").exists()
        else []
        for name in ("head", "tail")
    )
    return Networks(body, (*head, body, *tail))


def fit_layout(inputs: Any, network: Network) -> Any:
    """Fit frames to the network, whose channels a transformation may have moved to the end or the front."""
    frame, taken = tuple(inputs.shape[1:]), network.frame
    if frame != taken and len(frame) == len(taken) == 3:
        for order in ((0, 2, 3, 1), (0, 3, 1, 2)):
            if tuple(inputs.transpose(order).shape[1:]) == taken:
                return fit_frames(inputs.transpose(order), taken, network.datatype, "samples")
    return fit_frames(inputs, taken, network.datatype, "samples")
