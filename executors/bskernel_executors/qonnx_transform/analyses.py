"""The analyses of a model as entries: read the model, write the result, show a table."""

from __future__ import annotations

import json
from typing import Annotated, Any

import msgspec
from bskernel_protocol import CODE, pretty_json

from bskernel_executors.exchange.bit_widths import BitWidths, TensorFormat
from bskernel_executors.qonnx_transform.bit_widths import find_bit_widths
from bskernel_executors.qonnx_transform.checks import read_model
from bskernel_executors.qonnx_transform.cost import Cost, find_cost
from bskernel_executors.qonnx_transform.description import describe_model
from bskernel_executors.qonnx_transform.user_analysis import analyse, make_result_rows
from bskernel_executors.sdk import Input, Output, Registry, Step, StepFailure, parameter

_MODEL = Input("model", kind="file", help="ONNX or QONNX model", media_type="application/x-onnx")


class CostParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `inference_cost`."""

    discount_sparsity: Annotated[bool, parameter("do not count multiplications by zero weights")] = True


class AnalysisParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `analysis`."""

    function: Annotated[str, parameter("module:function in `source`: function(model, metrics, params) -> dict")]
    params: Annotated[dict[str, Any], parameter("passed to the function as `params`")] = {}


def _write(step: Step[Any], name: str, result: msgspec.Struct) -> None:
    step.output(name).write_text(pretty_json(result), encoding="utf-8")


def _make_cost_row(name: str, cost: Cost) -> list[str]:
    counts = (cost.total_macs, cost.bit_operations, cost.total_weights, cost.weight_bits)
    return [name, ", ".join(cost.macs), *(f"{count:,.10g}" for count in counts)]


def inference_cost(step: Step[CostParameters]) -> None:
    """Count operations and memory per frame."""
    model = read_model(step.required_input("model"))
    found = find_cost(model, discount_sparsity=step.params.discount_sparsity)
    _write(step, "inference_cost", found)
    rows = [_make_cost_row(name, cost) for name, cost in found.layers.items()]
    columns = ["layer", "input x weight", "MACs", "bit operations", "weights", "weight bits"]
    title = "inference cost" + (", without zero weights" if found.discount_sparsity else "")
    uncounted = [{"label": "not counted", "value": ", ".join(found.unsupported), "note": step.name}]
    step.record(
        {
            "tables": [{"title": title, "columns": columns, "rows": [*rows, _make_cost_row("total", found.total)]}],
            "summary": uncounted if found.unsupported else [],
        }
    )


def _make_width_rows(found: BitWidths) -> list[list[str]]:
    def show_type(tensor: TensorFormat | None) -> str:
        return tensor.datatype if tensor is not None else ""

    def count(value: int | None) -> str:
        return "" if value is None else f"{value:,}"

    rows = []
    for layer in found.layers:
        kept = layer.weights or layer.thresholds
        formats = [show_type(tensor) for tensor in (layer.input, kept, layer.accumulator, layer.output)]
        sizes = [count(kept.count), count(kept.total_bits)] if kept else ["", ""]
        rows.append([layer.name, *formats, *sizes])
    return [*rows, ["total of weights", "", "", "", "", count(found.weights), count(found.weight_bits)]]


def bit_widths(step: Step[msgspec.Struct]) -> None:
    """Find the layers' formats and sizes."""
    found = find_bit_widths(read_model(step.required_input("model")))
    _write(step, "bit_widths", found)
    columns = ["layer", "input", "weights or thresholds", "accumulator", "output", "count", "bits"]
    step.record(
        {
            "tables": [{"title": "bit widths", "columns": columns, "rows": _make_width_rows(found)}],
            "summary": [{"label": "warning", "value": text, "note": step.name} for text in found.warnings],
        }
    )


def analysis(step: Step[AnalysisParameters]) -> None:
    """Call the user's function."""
    given, path = step.params, step.input("metrics")
    try:
        metrics = None if path is None else json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StepFailure(category="metrics", message=f"metrics.json is not readable JSON: {error}") from error
    model = read_model(step.required_input("model"))
    found = analyse(given.function, step.input("source"), model, metrics, given.params)
    _write(step, "analysis", found)
    table = {
        "title": f"{step.name}: {given.function}",
        "columns": ["result", "value"],
        "rows": make_result_rows(found.result),
    }
    step.record({"tables": [table]})


def describe(step: Step[msgspec.Struct]) -> None:
    """Describe a user's model."""
    model = read_model(step.required_input("model"), step.input("external_data"), untrusted=True)
    _write(step, "description", describe_model(model))


def _output(name: str) -> tuple[Any, ...]:
    return (Output(name, kind="file", media_type="application/json"),)


def declare(registry: Registry) -> None:
    """Declare the entries. None of them changes the model or its stage."""
    registry.entry(
        "inference_cost",
        summary="qonnx.analysis.inference_cost: MACs by data type, memory and bit operations of each layer",
        parameters=CostParameters,
        inputs=(_MODEL,),
        outputs=_output("inference_cost"),
        stage_in=("onnx", "qonnx", "finn"),
        failure="postprocessing",
    )(inference_cost)
    registry.entry(
        "bit_widths",
        summary="formats and sizes of each layer's weights, thresholds, activations and accumulators",
        inputs=(_MODEL,),
        outputs=_output("bit_widths"),
        failure="postprocessing",
    )(bit_widths)
    registry.entry(
        "describe",
        summary="ends, layers and data types of a user's model, and what `adapt` would say of it",
        inputs=(
            _MODEL,
            Input("external_data", kind="tree", required=False, source="config", help="as for adapt"),
        ),
        outputs=_output("description"),
        failure="model_load",
    )(describe)
    registry.entry(
        "analysis",
        summary="the user's own analysis: function(model, metrics, params) -> dict",
        parameters=AnalysisParameters,
        inputs=(
            _MODEL,
            Input("metrics", kind="file", required=False, help="metrics.json, after metrics:collect"),
            Input(
                "source",
                kind="tree",
                required=False,
                source="config",
                help="folder with the module",
                media_type=CODE,
            ),
        ),
        outputs=_output("analysis"),
        failure="postprocessing",
    )(analysis)
