"""What of a network stays on the host."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from bskernel_executors.finn_step.host_split import find_head, find_tail, split_host
from bskernel_executors.finn_step.stitch_check import refuse_wrong_ends
from bskernel_executors.sdk import StepFailure
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes
from support.seeded_networks import Network


class Model:
    """A model as the split sees it: nodes with a kind, what they take, and what they make; f... are fractions."""

    def __init__(self, *nodes: tuple[str, str, str]) -> None:
        made = [SimpleNamespace(op_type=kind, input=taken.split(), output=[out]) for kind, taken, out in nodes]
        self.graph = SimpleNamespace(node=made, input=[SimpleNamespace(name=made[0].input[0])])

    def get_initializer(self, name: str) -> object | None:
        return name if name.startswith("constant") else None

    def get_tensor_datatype(self, name: str) -> Any:
        return SimpleNamespace(is_integer=lambda: not name.startswith("f"))


def chain(*nodes: tuple[str, str]) -> Model:
    """A chain of nodes, each (kind, datatype that it takes)."""
    names = [f"{'f' if datatype == 'FLOAT32' else 't'}{at}" for at, (_, datatype) in enumerate(nodes)] + ["out"]
    return Model(*((kind, names[at], names[at + 1]) for at, (kind, _) in enumerate(nodes)))


def split(model: Model) -> tuple[int, int]:
    """How many nodes stay on the host at the start and at the end."""
    tail = find_tail(model)
    front = [node for node in model.graph.node if node not in tail]
    return len(find_head(model, front)), len(tail)


@pytest.mark.parametrize(
    ("nodes", "head", "tail"),
    [
        ([("MatMul", "UINT4"), ("MatMul", "UINT4")], 0, 0),
        ([("Reshape", "FLOAT32"), ("MultiThreshold", "FLOAT32"), ("MatMul", "INT2"), ("Mul", "INT32")], 2, 1),
        ([("Transpose", "UINT4"), ("Im2Col", "UINT4"), ("MatMul", "UINT4"), ("Transpose", "INT9")], 1, 1),
        ([("MatMul", "UINT4"), ("Mul", "INT9"), ("Add", "FLOAT32"), ("TopK", "FLOAT32")], 0, 3),
        ([("Mul", "UINT8"), ("MultiThreshold", "FLOAT32"), ("MatMul", "UINT4")], 2, 0),
        ([("MatMul", "FLOAT32"), ("Relu", "FLOAT32")], 0, 2),
        ([("MatMul", "UINT4"), ("Mul", "INT9"), ("MatMul", "FLOAT32"), ("Relu", "FLOAT32")], 0, 3),
    ],
)
def test_what_takes_fractions_and_trailing_scales_stay_on_the_host(
    nodes: list[tuple[str, str]], head: int, tail: int
) -> None:
    assert split(chain(*nodes)) == (head, tail)


def test_an_end_with_fractions_may_fork_and_join() -> None:
    softmax = [("Mul", "t1 constant", "f1"), ("Exp", "f1", "f2"), ("ReduceSum", "f2", "f3"), ("Div", "f2 f3", "f4")]
    assert split(Model(("MatMul", "t0 constant", "t1"), *softmax)) == (0, 4)


def test_a_join_of_integers_at_the_end_is_hardware() -> None:
    joined = [("MatMul", "t0 constant", "t1"), ("MatMul", "t1 constant", "t2"), ("Add", "t1 t2", "t3")]
    assert split(Model(*joined)) == (0, 0)


def test_an_end_with_fractions_before_a_layer_of_integers_is_none() -> None:
    assert split(chain(("MatMul", "UINT4"), ("Mul", "INT9"), ("Add", "FLOAT32"), ("MatMul", "INT4"))) == (0, 0)


def test_an_end_that_takes_what_only_the_host_knows_is_refused_with_the_tensors(tmp_path: Path) -> None:
    network = Network(0, (1, 4))
    weights = network.constant([[1.0, 2.0, 3.0, 4.0]] * 4)
    network.node("MatMul", weights)
    network.node("Mul", network.constant(0.5))
    network.node("Sub", "input")
    model = ModelWrapper(network.model((1, 4)))
    for name in ("input", weights):
        model.set_tensor_datatype(name, DataType["INT4"])
    model = model.transform(InferShapes()).transform(InferDataTypes())
    with pytest.raises(StepFailure) as error:
        split_host(model, tmp_path)
    assert "MatMul_0_out0 (of the accelerator), input (known to the host)" in error.value.failure.message
    assert "Sub_0 (Sub)" in error.value.failure.cause[0]


def test_a_network_with_several_outputs_is_refused_with_their_names() -> None:
    network = Network(0, (1, 4))
    network.quantize()
    first = network.node("MatMul", network.weights(4, 4))
    network.node("Relu")
    refuse_wrong_ends(ModelWrapper(network.model((1, 4))))
    with pytest.raises(StepFailure) as error:
        refuse_wrong_ends(ModelWrapper(network.model((1, 4), (first, (1, 4)))))
    assert f"2 outputs (Relu_0_out0, {first})" in error.value.failure.message
    assert "codegen" in str(error.value.failure.hint)
