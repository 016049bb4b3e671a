"""Shortcuts through QONNX: the same graphs and values, without a pass over the graph for each name.

QONNX tidies up after every transformation, and streamlining applies hundreds: most of their time went there.
"""

from __future__ import annotations

import importlib
import re
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from bskernel_executors.sdk.attribute_shortcuts import Definitions, define_attributes, read_attributes
from bskernel_executors.sdk.datatype_shortcuts import allow_numbers, resolve_integers
from bskernel_executors.sdk.deferred_imports import deferred_imports
from bskernel_executors.sdk.known_sources import find_package, has_source
from bskernel_executors.sdk.shape_shortcuts import infer_without_weights

# SHA-256 of the files of qonnx 1.0.0 in which something is replaced.
_REPLACED = {
    "core/datatype.py": "d87aa2d283733729a51aaf1fea9aad1890491e901d6f19a732e51f11e91cc25a",
    "core/modelwrapper.py": "8735d2022874e2b7befadb7ed72d05e9865d44f5f130eb54d874f6256da0c477",
    "custom_op/base.py": "d2086f97937821cbc31f5cb5e2f2a2fa510ffd4781ac1dd41fda84264b680281",
    "transformation/general.py": "3013bea349b62b871aa27e377b212b10c9e7dec8be00b5d1aaa5a1845ae2899e",
    "transformation/infer_shapes.py": "471021cfac18b59c365ada692685f896b1160350d7498e06ca5646755873a231",
    "util/basic.py": "de11f8630052242ceec7002e5af86fd42cfbbbc3768400e672db3c31da8f2782",
}
# What ONNX and QONNX import for networks as text, and for command lines.
SELDOM_USED = ("clize", "google.protobuf.json_format", "google.protobuf.text_format")
_GIVEN_NAME = re.compile(r"tensor_\d+")


def get_by_name(container: Any, name: str, name_field: str = "name") -> Any:
    """Find the item of a container by the field of its name, or None. Raises Exception for several, as QONNX."""
    if name_field == "name":
        found = [item for item in container if item.name == name]
    else:
        found = [item for item in container if getattr(item, name_field) == name]
    if len(found) > 1:
        raise Exception("Found multiple get_by_name matches, undefined behavior")
    return found[0] if found else None


def get_initializer(model: Any, tensor_name: str, return_dtype: bool = False) -> Any:
    """Find the value of an initializer, or None; with `return_dtype` a pair of it and its type in ONNX."""
    from onnx import numpy_helper

    for tensor in model.graph.initializer:
        if tensor.name == tensor_name:
            value = numpy_helper.to_array(tensor)
            return (value, tensor.data_type) if return_dtype else value
    return (None, None) if return_dtype else None


def rename_tensors(model: Any, names: Mapping[str, str]) -> None:
    """Rename tensors wherever they occur: old name -> new name."""
    graph = model.graph
    for container in (graph.input, graph.output, graph.value_info, graph.initializer):
        for item in container:
            if (new := names.get(item.name)) is not None:
                item.name = new
    for annotation in graph.quantization_annotation:
        if (new := names.get(annotation.tensor_name)) is not None:
            annotation.tensor_name = new
    for node in graph.node:
        for tensors in (node.input, node.output):
            for at, name in enumerate(tensors):
                if (new := names.get(name)) is not None:
                    tensors[at] = new


def _occurring(model: Any) -> set[str] | None:
    """The names of all tensors; None where one by one QONNX renames otherwise: a name occurs twice in one place."""
    graph = model.graph
    places = [
        *([item.name for item in container] for container in (graph.input, graph.output, graph.value_info)),
        [item.name for item in graph.initializer],
        [item.tensor_name for item in graph.quantization_annotation],
        *(list(tensors) for node in graph.node for tensors in (node.input, node.output)),
    ]
    found: set[str] = set()
    for names in places:
        here = set(names)
        if len(here) != len(names):
            return None
        found |= here
    return found


def give_unique_names(by_qonnx: Callable[..., Any]) -> Callable[..., Any]:
    """Make the replacement of GiveUniqueTensorNames.apply; QONNX renames where a name occurs twice in one place."""

    def apply(transformation: Any, model: Any) -> Any:
        names = model.get_all_tensor_names()
        occurring = _occurring(model)
        if occurring is None or "" in names or any(_GIVEN_NAME.fullmatch(name) for name in occurring):
            return by_qonnx(transformation, model)
        new: dict[str, str] = {}
        for at, name in enumerate(names):
            new.setdefault(name, f"tensor_{at}")
        rename_tensors(model, new)
        return model, False

    return apply


def _readable_names(model: Any) -> dict[str, str] | None:
    """The new name of each tensor; None where names would be given one after another to one tensor, or twice."""
    graph, new = model.graph, dict[str, str]()
    occurring = _occurring(model)
    constants = {tensor.name for tensor in graph.initializer}
    taken: list[str] = []  # also names that are given for a while
    for node in graph.node:
        given = [(name, f"{node.name}_out{at}") for at, name in enumerate(node.output)]
        parameters = [name for name in node.input if name in constants]
        given += [(name, f"{node.name}_param{at}") for at, name in enumerate(parameters)]
        for old, name in given:
            if old in new or not node.name:
                return None
            new[old] = name
            taken.append(name)
    ends = [("global_in", item.name, at) for at, item in enumerate(graph.input)]
    ends += [("global_out", item.name, at) for at, item in enumerate(graph.output)]
    if len({name for _, name, _ in ends}) != len(ends):
        return None
    for prefix, old, at in ends:
        new[old] = prefix if at == 0 else f"{prefix}_{at}"
        taken.append(new[old])
    if occurring is None or "" in new or len(set(taken)) != len(taken) or not occurring.isdisjoint(taken):
        return None
    return new


def give_readable_names(by_qonnx: Callable[..., Any], unique: Any) -> Callable[..., Any]:
    """Make the replacement of GiveReadableTensorNames.apply; `unique` is GiveUniqueTensorNames."""

    def apply(transformation: Any, model: Any) -> Any:
        renamed = model.transform(unique())
        new = _readable_names(renamed)
        if new is None:
            return by_qonnx(transformation, model)
        rename_tensors(renamed, new)
        return renamed, False

    return apply


def give_unique_parameters(_: Any, model: Any) -> Any:
    """Replace GiveUniqueParameterTensors.apply: copy a constant for each further input that reads it."""
    constants = {tensor.name for tensor in model.graph.initializer}
    seen: set[str] = set()
    for node in model.graph.node:
        for at, name in enumerate(list(node.input)):
            if name not in constants:
                continue
            if name not in seen:
                seen.add(name)
                continue
            new = model.make_new_valueinfo_name()
            model.set_initializer(new, model.get_initializer(name))
            model.set_tensor_datatype(new, model.get_tensor_datatype(name))
            node.input[at] = new
    return model, False


def sort_graph(by_qonnx: Callable[..., Any]) -> Callable[..., Any]:
    """Make the replacement of SortGraph.apply, which drops nodes that nothing leads to, as QONNX."""

    def apply(transformation: Any, model: Any) -> Any:
        graph = model.graph
        nodes = list(graph.node)
        beginnings = [item.name for container in (graph.initializer, graph.input) for item in container]
        given = set(beginnings)
        if len(nodes) == 1 or len(given) != len(beginnings):
            return by_qonnx(transformation, model)
        producers: dict[str, int] = {}
        for at, node in enumerate(nodes):
            for name in node.output:
                producers.setdefault(name, at)
        needed = {
            at: {producers[name] for name in node.input if name in producers}
            for at, node in enumerate(nodes)
            if any(name in producers or name in given for name in node.input)
        }
        order = importlib.import_module("toposort").toposort_flatten(needed)
        for node in nodes:
            graph.node.remove(node)
        for at, place in enumerate(order):
            graph.node.insert(at, nodes[place])
        return model, False

    return apply


def round_values_with(by_qonnx: Callable[..., Any]) -> Callable[..., Any]:
    """Make the replacement of sanitize_quant_values: QONNX rounds only tensors that are not what their type says.

    It takes the largest of all their rounding errors by Python's `max`, also where there is none.
    """

    def sanitize_quant_values(
        model: Any, node_tensors: Iterable[str], execution_context: dict[str, Any], check_values: bool = False
    ) -> dict[str, Any]:
        import numpy as np

        for name in node_tensors:
            datatype = model.get_tensor_datatype(name)
            if not datatype.is_integer():
                continue
            values = execution_context[name]
            if not (np.size(values) and np.all(datatype.allowed(values)) and np.all(np.isfinite(values))):
                by_qonnx(model, [name], execution_context, check_values)
        return execution_context

    return sanitize_quant_values


def install_shortcuts() -> bool:
    """Replace what is slow in QONNX in this process, before anything imports it by name.

    Returns False, and replaces nothing, for a QONNX whose source is not that of the recipes.
    """
    package = find_package("qonnx")
    if package is None or not has_source(package, _REPLACED):
        return False
    with deferred_imports(SELDOM_USED):
        _replace()
    return True


def _replace() -> None:
    basic = importlib.import_module("qonnx.util.basic").__dict__
    basic.update(get_by_name=get_by_name, sanitize_quant_values=round_values_with(basic["sanitize_quant_values"]))
    importlib.import_module("qonnx.core.modelwrapper").ModelWrapper.get_initializer = get_initializer
    datatype = importlib.import_module("qonnx.core.datatype").__dict__
    integer = datatype["IntType"]
    datatype["resolve_datatype"] = resolve_integers(datatype["resolve_datatype"], integer)
    integer.allowed = allow_numbers(integer.allowed)
    operation = importlib.import_module("qonnx.custom_op.base").CustomOp
    definitions = Definitions()
    operation.get_nodeattr_def = define_attributes(operation.get_nodeattr_def, definitions)
    operation.get_nodeattr = read_attributes(operation.get_nodeattr, definitions, operation.get_nodeattr_def)
    general = importlib.import_module("qonnx.transformation.general")
    unique, readable, sort = general.GiveUniqueTensorNames, general.GiveReadableTensorNames, general.SortGraph
    readable.apply = give_readable_names(readable.apply, unique)
    unique.apply = give_unique_names(unique.apply)
    general.GiveUniqueParameterTensors.apply = give_unique_parameters
    sort.apply = sort_graph(sort.apply)
    shapes = importlib.import_module("qonnx.transformation.infer_shapes").__dict__
    shapes["si"] = types.SimpleNamespace(infer_shapes=infer_without_weights(shapes["si"].infer_shapes))
