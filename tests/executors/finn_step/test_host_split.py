"""What of a network stays on the host."""

from types import SimpleNamespace
from typing import Any

import pytest
from bskernel_executors.finn_step.host_split import count_head, count_tail, require_one_output
from bskernel_executors.sdk import StepFailure
from support.seeded_networks import Network


class Chain:
    """A model as the split sees it: a chain of nodes, each (kind, datatype that it takes)."""

    def __init__(self, *nodes: tuple[str, str]) -> None:
        self._types = {f"t{at}": datatype for at, (_, datatype) in enumerate(nodes)}
        made = [
            SimpleNamespace(op_type=kind, input=[f"t{at}"], output=[f"t{at + 1}"])
            for at, (kind, _) in enumerate(nodes)
        ]
        self.graph = SimpleNamespace(node=made, input=[SimpleNamespace(name="t0")])

    def get_initializer(self, name: str) -> None:
        return None

    def find_consumers(self, name: str) -> list[Any]:
        return [node for node in self.graph.node if name in node.input]

    def get_tensor_datatype(self, name: str) -> Any:
        return SimpleNamespace(is_integer=lambda: self._types[name] != "FLOAT32")


@pytest.mark.parametrize(
    ("nodes", "head", "tail"),
    [
        ([("MatMul", "UINT4"), ("MatMul", "UINT4")], 0, 0),
        ([("Reshape", "FLOAT32"), ("MultiThreshold", "FLOAT32"), ("MatMul", "INT2"), ("Mul", "INT32")], 2, 1),
        ([("Transpose", "UINT4"), ("Im2Col", "UINT4"), ("MatMul", "UINT4"), ("Transpose", "INT9")], 1, 1),
        ([("MatMul", "UINT4"), ("Mul", "INT9"), ("Add", "FLOAT32"), ("TopK", "FLOAT32")], 0, 3),
        ([("Mul", "UINT8"), ("MultiThreshold", "FLOAT32"), ("MatMul", "UINT4")], 2, 0),
        ([("MatMul", "FLOAT32"), ("Relu", "FLOAT32")], 2, 0),
    ],
)
def test_what_takes_fractions_and_trailing_scales_stay_on_the_host(
    nodes: list[tuple[str, str]], head: int, tail: int
) -> None:
    model = Chain(*nodes)
    assert (count_head(model), count_tail(model)) == (head, tail)


def test_a_network_with_several_outputs_is_refused_with_their_names() -> None:
    network = Network(0, (1, 4))
    network.quantize()
    first = network.node("MatMul", network.weights(4, 4))
    network.node("Relu")
    require_one_output(network.model((1, 4)))
    with pytest.raises(StepFailure) as error:
        require_one_output(network.model((1, 4), (first, (1, 4))))
    assert f"2 outputs (Relu_0_out0, {first})" in error.value.failure.message
    assert "codegen" in str(error.value.failure.hint)
