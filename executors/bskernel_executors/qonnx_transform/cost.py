"""QONNX's inference cost of a model in a typed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bskernel_executors.dataflow.operators import is_hardware
from bskernel_executors.sdk import StepFailure


class Cost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cost of one frame. Counts are whole numbers unless zeros are discounted by their density."""

    macs: dict[str, float]  # multiply-accumulates by "INPUT x WEIGHT" data type
    weights: dict[str, float]  # elements of weights by data type
    outputs: dict[str, float]  # elements that layers write, by data type
    total_macs: float
    bit_operations: float  # MACs * bits of the input * bits of the weight
    total_weights: float
    weight_bits: float
    total_outputs: float
    output_bits: float


class InferenceCost(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The cost of the whole model and of each Conv, MatMul, Gemm and Upsample."""

    total: Cost
    layers: dict[str, Cost]
    unsupported: tuple[str, ...]  # operators that QONNX does not count
    discount_sparsity: bool


def _bits(datatype: str) -> int:
    from qonnx.core.datatype import DataType

    return int(DataType[datatype].bitwidth())


def parse_cost(counts: Mapping[str, Any]) -> Cost:
    """Parse QONNX's keys op_mac_INPUT_WEIGHT, mem_w_TYPE and mem_o_TYPE."""
    macs: dict[str, float] = {}
    memory: dict[str, dict[str, float]] = {"w": {}, "o": {}}
    bit_operations = 0.0
    for key, value in counts.items():
        if key.startswith("op_mac_"):
            given, weight = key.removeprefix("op_mac_").split("_")
            macs[f"{given} x {weight}"] = float(value)
            bit_operations += float(value) * _bits(given) * _bits(weight)
        elif key.startswith("mem_"):
            _, kind, datatype = key.split("_")
            memory[kind][datatype] = float(value)
    bits = {kind: sum(count * _bits(name) for name, count in found.items()) for kind, found in memory.items()}
    return Cost(
        macs=macs,
        weights=memory["w"],
        outputs=memory["o"],
        total_macs=sum(macs.values()),
        bit_operations=bit_operations,
        total_weights=sum(memory["w"].values()),
        weight_bits=bits["w"],
        total_outputs=sum(memory["o"].values()),
        output_bits=bits["o"],
    )


def _prepare(model: Any) -> Any:
    """Prepare the model as qonnx.util.inference_cost does, but keep the names of nodes if they are unique."""
    from qonnx.transformation.fold_constants import FoldConstants
    from qonnx.transformation.general import (
        GiveUniqueNodeNames,
        GiveUniqueParameterTensors,
        RemoveStaticGraphInputs,
        RemoveUnusedTensors,
    )
    from qonnx.transformation.infer_datatypes import InferDataTypes
    from qonnx.transformation.infer_shapes import InferShapes

    for node in model.get_nodes_by_op_type("Quant"):
        node.domain = "qonnx.custom_op.general"
    for transformation in (
        InferShapes(),
        GiveUniqueParameterTensors(),
        InferDataTypes(allow_scaledint_dtypes=True),
        FoldConstants(exclude_op_types=[]),
        RemoveUnusedTensors(),
        RemoveStaticGraphInputs(),
        InferDataTypes(allow_scaledint_dtypes=True),
    ):
        model = model.transform(transformation)
    names = [node.name for node in model.graph.node]
    return model if all(names) and len(set(names)) == len(names) else model.transform(GiveUniqueNodeNames())


def find_cost(model: Any, *, discount_sparsity: bool) -> InferenceCost:
    """Compute the cost of a ModelWrapper. Raises StepFailure (model_load) for a hardware graph."""
    from qonnx.analysis.inference_cost import inference_cost

    hardware = sorted({node.op_type for node in model.graph.node if is_hardware(node)})
    if hardware:
        raise StepFailure(
            category="model_load",
            message=f"QONNX counts Conv, MatMul, Gemm and Upsample, but no hardware layers: {', '.join(hardware)}",
            hint="put inference_cost before the step that converts to hardware; bit_widths counts MACs of hardware",
        )
    found = _prepare(model).analysis(lambda given: inference_cost(given, discount_sparsity, True))
    return InferenceCost(
        total=parse_cost(found["total_cost"]),
        layers={name: parse_cost(counts) for name, counts in found["node_cost"].items()},
        unsupported=tuple(sorted(found["total_cost"]["unsupported"])),
        discount_sparsity=discount_sparsity,
    )
