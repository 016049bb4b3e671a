"""Find which part of a network is in hardware: classify its nodes and count what each part computes.

FINN's partition takes the hardware nodes as one accelerator. What does not depend on them can run before it on the
host, and what they do not depend on can run after it. Any other node is unmapped, and FINN refuses the network.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bskernel_protocol import pretty_json

from bskernel_executors.dataflow.macs import count_macs, count_weights, multiplies
from bskernel_executors.dataflow.operators import is_hardware
from bskernel_executors.exchange.coverage import Coverage, CoveredNode, Part, measure_parts
from bskernel_executors.exchange.coverage_texts import make_rows, refuse_uncovered
from bskernel_executors.finn_step.mapping_reasons import explain_unmapped
from bskernel_executors.sdk import Input, Output, Registry, Step


def _find_variables(model: Any, nodes: Iterable[Any]) -> set[str]:
    """Find the tensors that depend on the network's inputs. The nodes are sorted."""
    found = {value.name for value in model.graph.input if model.get_initializer(value.name) is None}
    for node in nodes:
        if found & set(node.input):
            found |= set(node.output)
    return found


def classify(nodes: list[Any]) -> list[Part]:
    """Classify sorted nodes by what they depend on and what depends on them."""
    after: set[str] = set()  # tensors that depend on a hardware node
    before: set[str] = set()  # tensors that a hardware node depends on
    for node in nodes:
        if is_hardware(node) or after & set(node.input):
            after |= set(node.output)
    for node in reversed(nodes):
        if is_hardware(node) or before & set(node.output):
            before |= set(node.input)

    def part_of(node: Any) -> Part:
        if is_hardware(node):
            return "hardware"
        if not after & set(node.input):
            return "head"
        return "unmapped" if before & set(node.output) else "tail"

    return [part_of(node) for node in nodes]


def _cover_node(model: Any, node: Any, part: Part, variables: set[str]) -> CoveredNode:
    counts: dict[str, int | None] = {}
    if multiplies(node):
        is_dynamic = node.input[1] in variables
        counts = {"macs": count_macs(model, node), "weights": None if is_dynamic else count_weights(model, node)}
    reason = None if part == "hardware" else explain_unmapped(model, node)
    return CoveredNode(
        name=node.name or node.output[0],
        kind=node.op_type,
        part=part,
        multiplies=multiplies(node),
        reason=reason.what if reason is not None else None,
        remedy=reason.remedy if reason is not None else None,
        **counts,
    )


def _cover(model: Any, part: Part | None = None) -> list[CoveredNode]:
    """Cover the nodes of a model, all as `part` if one is given."""
    from qonnx.transformation.general import SortGraph

    model = model.transform(SortGraph())
    variables = _find_variables(model, model.graph.node)
    nodes = [node for node in model.graph.node if variables & set(node.input)]
    parts = classify(nodes) if part is None else [part] * len(nodes)
    return [_cover_node(model, node, of, variables) for node, of in zip(nodes, parts, strict=True)]


def find_coverage(model: Any, host: Path | None = None) -> Coverage:
    """Cover a network at stage hwgraph. `host` is split_host's folder with the parts that it has cut off."""
    from qonnx.core.modelwrapper import ModelWrapper

    first, nodes = model, _cover(model)
    if host is not None and (host / "head.onnx").is_file():
        first = ModelWrapper(str(host / "head.onnx"))
        nodes = _cover(first, "head") + nodes
    if host is not None and (host / "tail.onnx").is_file():
        nodes += _cover(ModelWrapper(str(host / "tail.onnx")), "tail")
    shape = first.get_tensor_shape(first.graph.input[0].name)
    return Coverage(
        frames=int(shape[0]) if shape and shape[0] > 0 else 1, nodes=tuple(nodes), parts=measure_parts(tuple(nodes))
    )


def declare_coverage(registry: Registry) -> None:
    """Declare the entry `coverage`."""
    registry.entry(
        "coverage",
        summary="what is in hardware, on the host or unmapped: each node with its share of the MACs and the reason",
        inputs=(
            Input("model", kind="file", help="the whole network, before step_create_dataflow_partition"),
            Input("host", kind="tree", required=False, help="what split_host left to the host"),
        ),
        outputs=(Output("coverage", kind="file", media_type="application/json"),),
        stage_in=("hwgraph",),
        stage_out="hwgraph",
        failure="transform",
    )(_report_coverage)


def _report_coverage(step: Step[Any]) -> None:
    """Cover the network. Raises StepFailure (transform) if it multiplies, but nowhere in hardware."""
    from qonnx.core.modelwrapper import ModelWrapper

    found = find_coverage(ModelWrapper(str(step.required_input("model"))), step.input("host"))
    failure = refuse_uncovered(found)
    if failure is not None:
        raise failure
    step.output("coverage").write_text(pretty_json(found), encoding="utf-8")
    step.record({"summary": make_rows(found)})
