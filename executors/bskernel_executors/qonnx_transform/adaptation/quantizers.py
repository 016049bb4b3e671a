"""Parameters of quantizers: single values as scalars, numbers as float32, attributes that were left out."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change, group_changes
from bskernel_executors.qonnx_transform.adaptation.constants import Constants
from bskernel_executors.qonnx_transform.adaptation.domains import QONNX
from bskernel_executors.qonnx_transform.adaptation.names import list_tensors, unique_name

KIND = "quantizers"
# Names of inputs after the first. Those that count bits are one number for the whole tensor in FINN.
_INPUTS = {
    "Quant": ("scale", "zero point", "bit width"),
    "IntQuant": ("scale", "zero point", "bit width"),
    "BipolarQuant": ("scale",),
    "Trunc": ("scale", "zero point", "input bit width", "output bit width"),
}
_TRUNC_2 = ("scale", "zero point", "input bit width", "output scale", "output bit width")
_BIASED = frozenset({"Conv", "ConvTranspose"})
# The defaults of qonnx's specification (docs/qonnx-custom-ops in its repository).
_ATTRIBUTES: dict[str, dict[str, int | str]] = {
    "Quant": {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"},
    "IntQuant": {"signed": 1, "narrow": 0, "rounding_mode": "ROUND"},
    "Trunc": {"rounding_mode": "FLOOR"},
}
_MODES = {"ROUND_TO_ZERO": "DOWN"}  # Brevitas' name -> qonnx's, which knows no other


def mend_quantizers(model: Any) -> list[Change]:
    """Make parameters of one value scalars of float32, and fill in attributes."""
    graph = model.graph
    nodes = [node for node in graph.node if node.domain == QONNX and node.op_type in _INPUTS]
    return [*_rename(nodes), *_rename_modes(nodes), *_fill_attributes(nodes), *_mend_values(graph, nodes)]


def _rename(nodes: list[Any]) -> list[Change]:
    renamed = [node for node in nodes if node.op_type == "IntQuant"]
    for node in renamed:
        node.op_type = "Quant"
    names = tuple(node.name for node in renamed)
    reason = "qonnx's two names of one operator, of which FINN reads only this one"
    return [Change(kind=KIND, names=names, before="IntQuant", after="Quant", reason=reason)] if renamed else []


def _rename_modes(nodes: list[Any]) -> list[Change]:
    found: dict[tuple[str, str], list[str]] = {}
    for node in nodes:
        for attribute in node.attribute:
            mode = attribute.s.decode().upper() if attribute.name == "rounding_mode" else ""
            if mode in _MODES:
                attribute.s = _MODES[mode].encode()
                found.setdefault((mode, _MODES[mode]), []).append(node.name)
    reason = "two names of one rounding, of which qonnx knows only this one"
    return group_changes(KIND, found, reason)


def _mend_values(graph: Any, nodes: list[Any]) -> list[Change]:
    import numpy as np

    constants, taken = Constants(graph), list_tensors(graph)
    biases = {node.input[2] for node in graph.node if node.op_type in _BIASED and len(node.input) > 2}
    found: dict[tuple[str, str], list[str]] = {}
    for node in nodes:
        for at, role in enumerate(_roles(node), start=1):
            values = constants.read(node.input[at]) if at < len(node.input) else None
            if values is None:
                continue
            # A scale of shape (1, 1, 1, 1) has the rank of its tensor, which qonnx's specification allows.
            single = values.shape in {(), (1,)} or (values.size == 1 and "bit width" in role)
            # qonnx's ExtractBiasFromConv knows one scale per bias in this shape alone.
            shape = (1,) if node.output[0] in biases and "bit width" not in role else ()
            shape = shape if single else values.shape
            if shape == values.shape and values.dtype == np.float32:
                continue
            mended = values.reshape(shape).astype(np.float32)
            if np.any(mended != values):
                continue  # whole numbers beyond 2**24; no such bit width or zero point makes sense
            before = f"{role} of shape {values.shape} in {values.dtype}"
            after = f"{'a scalar' if shape == () else f'shape {shape}'} in float32"
            found.setdefault((before, after), []).append(node.name)
            constants.replace(node, at, mended, unique_name(f"{node.input[at]}_mended", taken))
    reason = "qonnx and FINN read parameters of one value in this form, and all of them as float32"
    return group_changes(KIND, found, reason)


def _roles(node: Any) -> tuple[str, ...]:
    return _TRUNC_2 if node.op_type == "Trunc" and len(node.input) > len(_TRUNC_2) else _INPUTS[node.op_type]


def _fill_attributes(nodes: list[Any]) -> list[Change]:
    from onnx import helper

    found: dict[tuple[str, str], list[str]] = {}
    for node in nodes:
        have = {attribute.name for attribute in node.attribute}
        missing = {key: value for key, value in _ATTRIBUTES.get(node.op_type, {}).items() if key not in have}
        for key, value in missing.items():
            node.attribute.append(helper.make_attribute(key, value))
        if missing:
            text = ", ".join(f"{key} = {value}" for key, value in missing.items())
            found.setdefault(("attributes left out", text), []).append(node.name)
    reason = "the defaults of qonnx's specification, which its code requires to be written"
    return group_changes(KIND, found, reason)
