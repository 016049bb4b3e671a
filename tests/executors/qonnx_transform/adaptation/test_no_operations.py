"""Nodes that change nothing go; those that only look like it stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bskernel_executors.qonnx_transform.adaptation.no_operations import remove_no_operations
from onnx import TensorProto
from support.seeded_networks import Network, draw_frame, execute


def network(kind: str) -> Network:
    made = Network(0, (1, 2, 3))
    made.quantize()
    if kind == "cast":
        made.node("Cast", to=TensorProto.FLOAT)
    elif kind == "casts":
        made.node("Cast", to=TensorProto.INT32)
        made.node("Cast", to=TensorProto.FLOAT)
    elif kind == "reshape":
        made.node("Reshape", made.constant([1, 2, 3], dtype=np.int64))
    elif kind == "reshapes":
        made.node("Reshape", made.constant([1, 6], dtype=np.int64))
        made.node("Reshape", made.constant([1, 2, 3], dtype=np.int64))
    elif kind == "squeeze and unsqueeze":
        made.node("Squeeze", made.constant([0], dtype=np.int64))
        made.node("Unsqueeze", made.constant([0], dtype=np.int64))
    elif kind == "transpose of no axis":
        made.node("Transpose", perm=[0, 1, 2])
    elif kind == "transposes":
        made.node("Transpose", perm=[0, 2, 1])
        made.node("Reshape", made.constant([1, 2, 3], dtype=np.int64))
    elif kind == "pad of nothing":
        made.node("Pad", made.constant([0] * 6, dtype=np.int64))
    elif kind == "concat of one":
        made.node("Concat", axis=1)
    elif kind == "used mask":
        made.node("Dropout", outputs=2)
    elif kind == "dropout in training":
        made.node("Dropout", made.constant(0.0), made.constant(True, dtype=np.bool_))
    return made


@pytest.mark.parametrize(
    "kind",
    [
        "cast",
        "reshape",
        "reshapes",
        "squeeze and unsqueeze",
        "transpose of no axis",
        "pad of nothing",
        "concat of one",
    ],
)
@pytest.mark.parametrize("at_the_end", [False, True])
def test_what_changes_nothing_is_removed(kind: str, at_the_end: bool) -> None:
    made = network(kind)
    if not at_the_end:
        made.quantize(3)
    before, model = made.model((1, 2, 3)), made.model((1, 2, 3))
    assert remove_no_operations(model)
    assert {node.op_type for node in model.graph.node} == {"Quant"}
    frame = {"input": draw_frame(0, 1, 2, 3)}
    np.testing.assert_array_equal(execute(model, frame)[0], execute(before, frame)[0])
    assert remove_no_operations(model) == []


@pytest.mark.parametrize("kind", ["casts", "transposes", "used mask", "dropout in training"])
def test_what_only_looks_like_it_stays(kind: str) -> None:
    made = network(kind)
    made.quantize(3)
    more = [("Dropout_0_out1", (1, 2, 3))] if kind == "used mask" else []
    model: Any = made.model((1, 2, 3), *more)
    count = len(model.graph.node)
    assert remove_no_operations(model) == []
    assert len(model.graph.node) == count


def test_a_node_between_an_input_and_an_output_stays() -> None:
    made = Network(0, (1, 2))
    made.node("Identity")
    model = made.model((1, 2))
    assert remove_no_operations(model) == []
    assert len(model.graph.node) == 1
