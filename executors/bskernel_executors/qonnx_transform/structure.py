"""Check that a model's graph is one: what a damaged file breaks, named, before a library meets it.

The rules are those of ONNX's IR (https://github.com/onnx/onnx/blob/main/docs/IR.md): each tensor has one source,
nodes form no cycle, constants hold as many values as their shape says. Limits of size keep a wrong number from
filling the memory of the machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from math import prod
from typing import Any

from bskernel_executors.sdk import StepFailure

_DEEPEST = 20  # graphs in one another
_MOST_WEIGHTS = 1 << 28  # values of one constant
_MOST_VALUES = 1 << 24  # of another tensor: an image of 2048 x 2048 pixels has 13 million
_LARGEST = 1 << 20  # of a window, a pad, a stride
_SIZES = frozenset(
    {"kernel_shape", "pads", "strides", "dilations", "group", "output_shape", "output_padding", "axis"}
)
# AttributeProto.type -> the field that holds the value (onnx.proto), and whether it is repeated
_FIELDS = {
    1: ("f", False), 2: ("i", False), 3: ("s", False), 4: ("t", False), 5: ("g", False), 6: ("floats", True),
    7: ("ints", True), 8: ("strings", True), 9: ("tensors", True), 10: ("graphs", True), 11: ("sparse_tensor", False),
    12: ("sparse_tensors", True), 13: ("tp", False), 14: ("type_protos", True),
}  # fmt: skip
# TensorProto.data_type -> the field of its values without raw_data, and their bytes in raw_data
_TYPES = {
    1: ("float_data", 4), 2: ("int32_data", 1), 3: ("int32_data", 1), 4: ("int32_data", 2), 5: ("int32_data", 2),
    6: ("int32_data", 4), 7: ("int64_data", 8), 9: ("int32_data", 1), 10: ("int32_data", 2), 11: ("double_data", 8),
    12: ("uint64_data", 4), 13: ("uint64_data", 8), 16: ("int32_data", 2),
}  # fmt: skip
# Operators of qonnx, which have no schema -> the number of their inputs
_QUANTIZERS = {"Quant": 4, "IntQuant": 4, "BipolarQuant": 2, "Trunc": 5, "MultiThreshold": 2}
_NEWEST = 1000  # an opset's version is below; ONNX is at about 25
_LONGEST = 80  # characters of a name in a message
_EXTERNAL = 1  # TensorProto.data_location
_HINT = "the file is damaged, or was changed by hand: export the model again"


def check_structure(model: Any) -> None:
    """Check an onnx.ModelProto. Raises StepFailure (model_load) that names the node or tensor."""
    try:
        _check(model)
    except UnicodeDecodeError as error:
        raise _damage("a name in it is not UTF-8") from error


def _check(model: Any) -> None:
    opsets = {item.domain: item.version for item in model.opset_import}
    for domain, version in opsets.items():
        if isinstance(domain, bytes) or not 0 < version < _NEWEST:
            raise _damage(f"the opset of the domain {domain!r} has the version {version}")
    waiting = [(model.graph, 0)]
    while waiting:
        graph, depth = waiting.pop()
        if depth > _DEEPEST:
            raise _damage(f"graphs nest more than {_DEEPEST} deep in it")
        _check_graph(graph)
        for node in graph.node:
            _check_node(node, opsets)
            for attribute in node.attribute:
                inner = [attribute.g] if attribute.HasField("g") else []
                waiting += [(below, depth + 1) for below in (*inner, *attribute.graphs)]
    if not model.graph.output:
        raise _damage("the model has no output")
    _check_sources(model.graph)


def _damage(what: str) -> StepFailure:
    return StepFailure(category="model_load", message=f"the model is damaged: {what}", hint=_HINT)


def _name(node: Any) -> str:
    """What messages call a node."""
    name = node.name or (node.output[0] if node.output else "(without a name)")
    return f"node {_shown(name)} ({_shown(node.op_type)[1:-1] or 'no type'})"


def _shown(name: str) -> str:
    """A name as text that a terminal takes, of any length."""
    return repr(name if len(name) <= _LONGEST else f"{name[:_LONGEST]}...")


def _check_graph(graph: Any) -> None:
    """Check constants and shapes, and that each tensor is made once."""
    names = [
        name for node in graph.node for name in (node.name, node.op_type, node.domain, *node.input, *node.output)
    ]
    names += [item.name for item in (*graph.input, *graph.output, *graph.initializer)]
    for name in names:
        if isinstance(name, bytes) or not name.isprintable():  # protobuf gives what is no UTF-8 as bytes
            raise _damage(f"the name {name!r} is no text")
    inputs = [item.name for item in graph.input]
    constants = [item.name for item in graph.initializer]
    made = [output for node in graph.node for output in node.output if output]
    for what, names in (
        ("inputs", inputs),
        ("constants", constants),
        ("outputs", [item.name for item in graph.output]),
    ):
        if len(set(names)) < len(names):
            twice = next(name for at, name in enumerate(names) if name in names[:at])
            raise _damage(f"two {what} are called {_shown(twice)}")
    sources = {*inputs, *constants}
    for name in made:
        if name in sources:
            raise _damage(f"the tensor {_shown(name)} has two sources")
        sources.add(name)
    for tensor in graph.initializer:
        _check_tensor(tensor, f"the constant {_shown(tensor.name)}")
    for sparse in graph.sparse_initializer:
        _check_size(f"the constant {_shown(sparse.values.name)}", sparse.dims, _MOST_WEIGHTS)
    for item in (*graph.input, *graph.output, *graph.value_info):
        if item.type.HasField("tensor_type"):
            sizes = [size.dim_value for size in item.type.tensor_type.shape.dim if size.HasField("dim_value")]
            _check_size(f"the tensor {_shown(item.name)}", [size for size in sizes if size > 0], _MOST_VALUES)
    for item in (*graph.input, *graph.output):
        if item.type.HasField("tensor_type") and not item.type.tensor_type.elem_type:
            raise _damage(f"the tensor {_shown(item.name)} has no data type")


def _check_size(what: str, sizes: Iterable[int], most: int) -> None:
    shape = list(sizes)
    if any(size < 0 for size in shape) or prod(shape) > most:
        raise _damage(f"{what} has the shape {shape}, and at most {most:,} values are possible")


def _check_tensor(tensor: Any, what: str) -> None:
    _check_size(what, tensor.dims, _MOST_WEIGHTS)
    if tensor.data_location == _EXTERNAL or tensor.data_type not in _TYPES:
        if not tensor.data_type:
            raise _damage(f"{what} has no data type")
        return
    field, size = _TYPES[tensor.data_type]
    raw, wanted = len(tensor.raw_data), prod(tensor.dims)
    found = raw / size if tensor.HasField("raw_data") else len(getattr(tensor, field))
    if found != wanted:
        raise _damage(f"{what} has {found:g} values, and its shape {list(tensor.dims)} says {wanted}")


def _check_node(node: Any, opsets: dict[str, int]) -> None:
    if not node.op_type:
        raise _damage(f"{_name(node)} has no operator")
    if not any(node.output):
        raise _damage(f"{_name(node)} has no output")
    for attribute in node.attribute:
        field, repeated = _FIELDS.get(attribute.type, ("", False))
        if not field or not (repeated or attribute.HasField(field)):
            raise _damage(f"{_name(node)}: its attribute {_shown(attribute.name)} has no value of its type")
        if attribute.name in _SIZES:
            numbers = attribute.ints if repeated else [attribute.i]
            if any(abs(number) > _LARGEST for number in numbers):
                raise _damage(f"{_name(node)}: {_shown(attribute.name)} is {list(numbers)}")
        for tensor in (*([attribute.t] if attribute.HasField("t") else ()), *attribute.tensors):
            _check_tensor(tensor, f"{_name(node)}: its attribute {_shown(attribute.name)}")
    _check_signature(node, opsets)


def _check_signature(node: Any, opsets: dict[str, int]) -> None:
    """Compare inputs, outputs and attributes with what the operator takes, if ONNX or qonnx knows it."""
    wanted = dict(_attribute_types(node, opsets))
    for attribute in node.attribute:
        field = _FIELDS[attribute.type][0]
        if attribute.name in wanted and wanted[attribute.name] != field:
            raise _damage(f"{_name(node)}: its attribute {_shown(attribute.name)} is of the wrong type")
    schema = _schema(node, opsets)
    if schema is None:
        if len(node.input) < (least := _QUANTIZERS.get(node.op_type, 0)):
            raise _damage(f"{_name(node)} has {len(node.input)} inputs, and it takes {least}")
        return
    for what, given, least, most in (
        ("inputs", len(node.input), schema.min_input, schema.max_input),
        ("outputs", len(node.output), schema.min_output, schema.max_output),
    ):
        if not least <= given <= most:
            raise _damage(f"{_name(node)} has {given} {what}, and it takes {least} to {most}")


def _attribute_types(node: Any, opsets: dict[str, int]) -> Iterator[tuple[str, str]]:
    schema = _schema(node, opsets)
    if schema is not None:
        for name, attribute in schema.attributes.items():
            yield name, _FIELDS.get(int(attribute.type.value), ("", False))[0]
        return
    from qonnx.custom_op.registry import getCustomOp

    try:
        types = getCustomOp(node).get_nodeattr_types()
    except Exception:  # noqa: BLE001 - whatever it raises for an operator that qonnx does not know
        return
    for name, (kind, *_) in types.items():
        yield name, kind


def _schema(node: Any, opsets: dict[str, int]) -> Any:
    import onnx.defs

    domain = "" if node.domain == "ai.onnx" else node.domain
    version = opsets.get(domain, opsets.get("ai.onnx", 1) if not domain else 1)
    try:
        return onnx.defs.get_schema(node.op_type, min(max(version, 1), onnx.defs.onnx_opset_version()), domain)
    except onnx.defs.SchemaError:
        return None


def _check_sources(graph: Any) -> None:
    """Each tensor that the model takes has a source, and nodes form no cycle."""
    sources = {item.name for item in (*graph.input, *graph.initializer)}
    sources |= {sparse.values.name for sparse in graph.sparse_initializer}
    makers = {output: at for at, node in enumerate(graph.node) for output in node.output if output}
    before: dict[int, list[int]] = {}
    for at, node in enumerate(graph.node):
        for name in node.input:
            if name and name not in makers and name not in sources:
                raise _damage(f"{_name(node)} takes {_shown(name)}, which nothing makes")
        before[at] = [makers[name] for name in node.input if name in makers]
    for item in graph.output:
        if item.name not in makers and item.name not in sources:
            raise _damage(f"nothing makes the output {_shown(item.name)}")
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        cycle = " -> ".join(_name(graph.node[at]) for at in error.args[1][:4])
        raise _damage(f"its nodes form a cycle: {cycle}") from error
