"""What a user wants to know of a network before the first build: its ends, its layers, and what stands in the way."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from typing import Any, TypeAlias

import msgspec

from bskernel_executors.dataflow.operators import is_hardware
from bskernel_executors.dataflow.widths import WIDEST
from bskernel_executors.exchange.bit_widths import BitWidths, TensorFormat
from bskernel_executors.qonnx_transform.adaptation.adapter import adapt_model
from bskernel_executors.qonnx_transform.adaptation.graph_inputs import list_inputs
from bskernel_executors.qonnx_transform.adaptation.layers import count_macs, find_layers
from bskernel_executors.qonnx_transform.adaptation.network_graph import NetworkGraph
from bskernel_executors.qonnx_transform.adaptation.quantization import check_quantization, check_widths
from bskernel_executors.qonnx_transform.bit_widths import find_bit_widths
from bskernel_executors.qonnx_transform.formats import QUANTIZERS, find_datatype
from bskernel_executors.qonnx_transform.stage import detect_stage
from bskernel_executors.sdk import StepFailure

_ADAPTED = frozenset({"onnx", "qonnx"})  # stages at which a build begins with `adapt`
Sizes: TypeAlias = tuple[int | str, ...]  # of a tensor; the name of a dimension, or "?", where its size is unknown
_SIZE = 32  # of an unknown dimension in an example, as in the hints of `adapt`


class NetworkTensor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An input or output of the network."""

    name: str
    shape: Sizes | None  # None if the model does not even state the rank
    datatype: str  # QONNX's, as the hardware will see it: that of its quantizer where there is one


class NetworkLayer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A layer with weights. A data type is absent if nothing quantizes it, or if it is unknown."""

    name: str
    operator: str
    weights: tuple[int, ...]  # shape
    input_datatype: str | None
    weight_datatype: str | None
    macs: int | None  # per frame
    quantized: bool  # in weights and input: only then it can be hardware


class Setting(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A parameter of a step that may be the remedy: an example, which the user must confirm."""

    step: str
    name: str
    value: Any


class Problem(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What makes a build fail, or leaves layers to the host."""

    fails: bool
    what: str
    remedy: str | None
    setting: Setting | None = None


class NetworkDescription(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model as it came, and as `adapt` would change it."""

    stages: tuple[str, ...]  # that it may be at
    exporter: str | None
    opset: int | None
    inputs: tuple[NetworkTensor, ...]
    outputs: tuple[NetworkTensor, ...]
    layers: tuple[NetworkLayer, ...]
    operators: dict[str, int]  # nodes by operator, as they came
    changes: int  # that `adapt` would make
    problems: tuple[Problem, ...]


def describe_model(wrapper: Any) -> NetworkDescription:
    """Describe a ModelWrapper at any stage. Its model is changed."""
    from qonnx.core.modelwrapper import ModelWrapper

    model = wrapper.model
    stages = detect_stage(model.graph, None).stages
    operators = _count(model.graph)
    opset = max((item.version for item in model.opset_import if item.domain in {"", "ai.onnx"}), default=None)
    inputs = [(item.name, _read_sizes(item)) for item in list_inputs(model.graph)]
    outputs = [(item.name, _read_sizes(item)) for item in model.graph.output]
    exporter = " ".join(part for part in (model.producer_name, model.producer_version) if part)
    before = copy.deepcopy(model)
    problems: list[Problem] = []
    changes = 0
    # A model at no known stage gets the refusal of `adapt`, which names the node.
    if not stages or _ADAPTED & set(stages):
        try:
            changes = len(adapt_model(model).changes)
        except StepFailure as failure:
            problems.append(_as_problem(failure, _find_size(inputs)))
            model = before
        problems += _find_problems(model, refused=bool(problems))
    known = _infer(ModelWrapper(model))
    return NetworkDescription(
        stages=stages,
        exporter=exporter or None,
        opset=opset,
        inputs=tuple(_make_ends(known, inputs)),
        outputs=tuple(_make_ends(known, outputs)),
        layers=tuple(_make_layers(NetworkGraph(known.model), _find_widths(known))),
        operators=operators,
        changes=changes,
        problems=tuple(problems),
    )


def _count(graph: Any) -> dict[str, int]:
    kinds = [node.op_type for node in graph.node]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def _read_sizes(value: Any) -> Sizes | None:
    if not value.type.tensor_type.HasField("shape"):
        return None
    dims = value.type.tensor_type.shape.dim
    return tuple(dim.dim_value if dim.dim_value > 0 else dim.dim_param or "?" for dim in dims)


def _find_size(inputs: list[tuple[str, Sizes | None]]) -> Setting | None:
    """An example of the first input's size, if a dimension after its first is unknown."""
    sizes = inputs[0][1]
    if sizes is None or all(isinstance(size, int) for size in sizes[1:]):
        return None
    known = [size if isinstance(size, int) else _SIZE for size in sizes]
    value = [known[0] if isinstance(sizes[0], int) else 1, *known[1:]]
    return Setting(step="adapt", name="override_input_size", value=value)


def _as_problem(failure: StepFailure, setting: Setting | None = None) -> Problem:
    said = failure.failure
    return Problem(fails=True, what=said.message, remedy=said.hint, setting=setting)


def _find_problems(model: Any, *, refused: bool) -> Iterator[Problem]:
    """What `adapt` would say of quantizers and widths. Of a refused model, only what needs no mend is certain."""
    layers = list(find_layers(NetworkGraph(model)))
    unquantized = [layer for layer in layers if layer.weights_quantized and not layer.input_quantized]
    setting = Setting(step="adapt", name="input_datatype", value="UINT8") if unquantized else None
    if refused and any(layer.weights_quantized for layer in layers):
        return
    for check, remedy in ((check_quantization, setting), (lambda found: check_widths(found, WIDEST), None)):
        try:
            rows = check(model)
        except StepFailure as failure:
            yield _as_problem(failure, remedy)
        else:
            for row in rows:
                yield Problem(fails=False, what=row["value"], remedy=row["note"], setting=remedy)


def _infer(wrapper: Any) -> Any:
    """The model with shapes and folded constants, as `cleanup` leaves it, or as it is if it cannot be cleaned up."""
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.transformation.fold_constants import FoldConstants
    from qonnx.transformation.infer_shapes import InferShapes

    if any(is_hardware(node) for node in wrapper.graph.node):
        return wrapper
    with contextlib.suppress(Exception):  # of whatever a model that nothing has checked makes a library raise
        made = ModelWrapper(copy.deepcopy(wrapper.model))
        made = made.transform(InferShapes())
        return made.transform(FoldConstants(exclude_op_types=sorted(QUANTIZERS))).transform(InferShapes())
    return wrapper


def _find_widths(model: Any) -> BitWidths:
    """The data types, as far as they can be found: a build must not be needed to say why it would fail."""
    with contextlib.suppress(Exception):
        return find_bit_widths(model)
    return BitWidths()


def _make_ends(model: Any, ends: list[tuple[str, Sizes | None]]) -> Iterator[NetworkTensor]:
    for name, stated in ends:
        known = model.get_tensor_shape(name)
        shape = stated if not known or min(known) < 1 else tuple(known)
        yield NetworkTensor(name=name, shape=_as_came(stated, shape), datatype=_find_type(model, name))


def _as_came(stated: Sizes | None, found: Sizes | None) -> Sizes | None:
    """The shape as the model states it, but with the sizes that it does not state as they were found."""
    if stated is None or found is None or len(stated) != len(found):
        return stated if found is None else found
    return tuple(size if isinstance(size, int) else other for size, other in zip(stated, found, strict=True))


def _find_type(model: Any, name: str) -> str:
    """QONNX's data type; of a float input, that of the quantizer that alone reads it."""
    readers = model.find_consumers(name) or []
    if len(readers) == 1 and readers[0].op_type in QUANTIZERS and model.get_initializer(name) is None:
        name = readers[0].output[0]
    datatype = find_datatype(model, name)
    # A scaled integer is a float whose scale is not separated yet.
    return "FLOAT32" if datatype is None or datatype.name.startswith("SCALEDINT") else str(datatype.name)


def _format(tensor: TensorFormat | None) -> str | None:
    return None if tensor is None or tensor.datatype.startswith("FLOAT") else tensor.datatype


def _make_layers(network: NetworkGraph, found: BitWidths) -> Iterator[NetworkLayer]:
    for layer in find_layers(network):
        widths = found.layer(layer.node.name)
        given, weights = (widths.input, widths.weights) if widths is not None else (None, None)
        yield NetworkLayer(
            name=layer.node.name or layer.node.output[0],
            operator=layer.node.op_type,
            weights=layer.shape,
            input_datatype=_format(given),
            weight_datatype=_format(weights),
            macs=count_macs(network, layer) or None,
            quantized=layer.weights_quantized and layer.input_quantized,
        )
