"""Why a node is not in hardware, and what a network contains beside a chain."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from bskernel_executors.finn_step.graph_features import find_features
from bskernel_executors.finn_step.mapping_reasons import explain_unmapped
from bskernel_executors.finn_step.recipe_run import find_stuck, find_unmapped


class Graph:
    """A model as explanations see it: nodes (name, kind, inputs, attributes), types and constants of tensors.

    A node makes the tensor of its own name. "in" is the network's input; what no type is given for is FLOAT32.
    """

    def __init__(
        self,
        *nodes: tuple[str, str, list[str], dict[str, Any]],
        types: dict[str, str],
        constants: dict[str, Any] | None = None,
        shapes: dict[str, list[int]] | None = None,
    ) -> None:
        self._types, self._constants, self._shapes = types, constants or {}, shapes or {}
        made = [
            SimpleNamespace(
                name=name,
                op_type=kind,
                domain="finn.custom_op.fpgadataflow" if kind.startswith("HW") else "",
                input=inputs,
                output=[name],
                attribute=[self._attribute(key, value) for key, value in attributes.items()],
            )
            for name, kind, inputs, attributes in nodes
        ]
        ends = [SimpleNamespace(name=made[-1].output[0])]
        self.graph = SimpleNamespace(node=made, input=[SimpleNamespace(name="in")], output=ends)

    @staticmethod
    def _attribute(name: str, value: Any) -> Any:
        kind = 7 if isinstance(value, list) else 3 if isinstance(value, str) else 2
        fields = {"f": 0.0, "i": 0, "s": b"", "ints": []}
        fields |= {{7: "ints", 3: "s", 2: "i"}[kind]: value.encode() if isinstance(value, str) else value}
        return SimpleNamespace(name=name, type=kind, **fields)

    def get_initializer(self, name: str) -> Any:
        return self._constants.get(name)

    def get_tensor_shape(self, name: str) -> list[int]:
        return self._shapes.get(name, [1, 4, 8, 8])

    def get_tensor_datatype(self, name: str) -> Any:
        kind = self._types.get(name, "FLOAT32")
        return SimpleNamespace(name=kind, is_integer=lambda: kind != "FLOAT32")

    def find_producer(self, name: str) -> Any:
        return next((node for node in self.graph.node if name in node.output), None)

    def find_consumers(self, name: str) -> list[Any]:
        return [node for node in self.graph.node if name in node.input]

    def explain(self, name: str) -> Any:
        return explain_unmapped(self, self.find_producer(name))


SCALE, WEIGHTS = np.asarray(0.5), np.ones((4, 4))


def fork() -> Graph:
    return Graph(
        ("quantized", "MultiThreshold", ["in", "t"], {}),
        ("scale", "Mul", ["quantized", "s"], {}),
        ("left", "MatMul", ["scale", "w"], {}),
        ("sum", "Add", ["left", "scale"], {}),
        types={"in": "UINT8", "quantized": "UINT4", "w": "INT4"},
        constants={"s": SCALE, "w": WEIGHTS, "t": WEIGHTS},
    )


def test_a_scale_that_stays_before_a_fork_is_named() -> None:
    reason = fork().explain("left")
    assert reason.what.startswith(
        "its input is FLOAT32, because the scale or bias of Mul scale stays before the fork"
    )
    assert "quantize before the fork" in reason.remedy


def test_branches_of_different_scales_are_named_with_their_scales() -> None:
    graph = Graph(
        ("a", "Mul", ["in", "s"], {}),
        ("b", "Mul", ["in", "r"], {}),
        ("sum", "Add", ["a", "b"], {}),
        types={"in": "UINT8"},
        constants={"s": SCALE, "r": np.asarray(0.3)},
    )
    reason = graph.explain("sum")
    assert reason.what == "its branches have different scales (0.5, 0.3)"
    assert "one shared quantizer" in reason.remedy


@pytest.mark.parametrize(
    ("node", "types", "what", "remedy"),
    [
        (("n", "MatMul", ["in", "w"], {}), {"in": "UINT8"}, "its weights are FLOAT32", "quantize the weights"),
        (("n", "MatMul", ["in", "w"], {}), {"w": "INT4"}, "from the network's input without a quantizer", "Quant"),
        (
            ("n", "Conv", ["in", "w"], {"group": 2}),
            {"in": "UINT8", "w": "INT4"},
            "it has 2 groups of 4 channels",
            "group = 4 (depthwise)",
        ),
        (
            ("n", "MaxPool", ["in"], {"kernel_shape": [2, 2], "strides": [3, 3]}),
            {"in": "UINT8"},
            "its kernel [2, 2] is smaller than its stride [3, 3]",
            "at least as large",
        ),
        (
            ("n", "ConvTranspose", ["in", "w"], {"group": 2, "kernel_shape": [2, 2], "pads": [0, 0, 0, 0]}),
            {"in": "UINT8", "w": "INT4"},
            "a transposed convolution with group = 2",
            "use group = 1",
        ),
        (("n", "Resize", ["in"], {"mode": "linear"}), {"in": "UINT8"}, "in the mode 'linear'", "nearest"),
        (("n", "Concat", ["in", "in"], {"axis": 1}), {"in": "UINT8"}, "along axis 1 of 4", "channels"),
        (("n", "Transpose", ["in"], {}), {"in": "UINT8"}, "rearranges the network's input", "none needed"),
        (("n", "Sigmoid", ["in"], {}), {}, "scores of the network's results", "none needed"),
        (("n", "Elu", ["in"], {}), {"in": "UINT8"}, "no hardware layer for Elu", "replace it"),
    ],
)
def test_the_reason_is_what_is_wrong_with_the_node(
    node: tuple[str, str, list[str], dict[str, Any]], types: dict[str, str], what: str, remedy: str
) -> None:
    reason = Graph(node, types=types, constants={"w": WEIGHTS}).explain("n")
    assert what in reason.what
    assert remedy in reason.remedy


def test_forks_joins_and_scales_before_forks_are_found_by_name() -> None:
    assert find_features(fork()) == {
        "forks": ("scale",),
        "joins": ("sum",),
        "scales before forks": ("scale",),
        "added branches": ("sum",),
    }


def test_a_layer_on_fractions_made_of_integers_is_stuck_but_one_on_the_float_input_is_not() -> None:
    assert [node.name for node in find_stuck(fork())] == ["left", "sum"]
    direct = Graph(("n", "MatMul", ["in", "w"], {}), types={"w": "INT4"}, constants={"w": WEIGHTS})
    assert find_stuck(direct) == []


def test_a_node_between_hardware_layers_is_unmapped_but_one_at_either_end_is_not() -> None:
    graph = Graph(
        ("first", "Transpose", ["in"], {}),
        ("a", "HWa", ["first"], {}),
        ("between", "Elu", ["a"], {}),
        ("b", "HWb", ["between"], {}),
        ("last", "Softmax", ["b"], {}),
        types={},
    )
    assert [node.name for node in find_unmapped(graph)] == ["between"]
