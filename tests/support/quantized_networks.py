"""Runs in an executor's environment with qonnx: draws small networks from a seed, in the folder it is given."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

FOLDER = Path(sys.argv[1])
QONNX = "qonnx.custom_op.general"
RANDOM = np.random.default_rng(7)


class Network:
    """Nodes and constants, collected one after the other."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, value: Any) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value, dtype=np.float32), name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        domain = {"domain": QONNX} if kind == "Quant" else {}
        self.nodes.append(helper.make_node(kind, list(inputs), [f"t{len(self.nodes)}"], **domain, **attributes))
        return str(self.nodes[-1].output[0])

    def quant(self, tensor: str, scale: float, bits: int, *, signed: int = 0, mode: str = "ROUND") -> str:
        parameters = (self.constant(scale), self.constant(0.0), self.constant(float(bits)))
        return self.add("Quant", tensor, *parameters, signed=signed, narrow=signed, rounding_mode=mode)

    def dense(self, tensor: str, size_in: int, size_out: int, scale: float = 0.125, bits: int = 4) -> str:
        largest = 2 ** (bits - 1) - 1
        weights = self.constant(RANDOM.integers(-largest, largest + 1, (size_in, size_out)) * scale)
        return self.add("MatMul", tensor, self.quant(weights, scale, bits, signed=1))

    def save(self, name: str, output: str, inputs: int = 1) -> None:
        given = [helper.make_tensor_value_info(f"in{at}", TensorProto.FLOAT, [1, 24]) for at in range(inputs)]
        ends = [helper.make_tensor_value_info(output, TensorProto.FLOAT, [1, 10])]
        graph = helper.make_graph(self.nodes, name, given, ends, initializer=self.constants)
        opsets = [helper.make_opsetid("", 13), helper.make_opsetid(QONNX, 1)]
        model = ModelWrapper(helper.make_model(graph, opset_imports=opsets, ir_version=8))
        for item in given:
            model.set_tensor_datatype(item.name, DataType["UINT4"])
        model.save(str(FOLDER / f"{name}.onnx"))


def hidden(network: Network, mode: str = "ROUND") -> str:
    relu = network.add("Relu", network.dense("in0", 24, 16))
    return network.quant(relu, 2.0, 3, mode=mode)


for name, mode in (("powers", "ROUND"), ("floor", "FLOOR")):
    network = Network()
    network.save(name, network.dense(hidden(network, mode), 16, 10))
network = Network()
network.save("quantized-output", network.quant(network.dense(hidden(network), 16, 10), 4.0, 8, signed=1))
network = Network()
network.save("sigmoid", network.add("Sigmoid", network.dense(hidden(network), 16, 10, scale=0.046875)))
network = Network()
network.save("unknown-mode", network.dense(hidden(network, "STOCHASTIC"), 16, 10))
network = Network()
both = network.add("Add", network.dense("in0", 24, 16), network.dense("in1", 24, 16))
network.save("two-inputs", network.dense(network.quant(network.add("Relu", both), 2.0, 3), 16, 10), inputs=2)
network = Network()
relu = network.add("Relu", network.dense("in0", 24, 16, bits=8))
network.save("eight-bits", network.dense(network.quant(relu, 16.0, 8), 16, 10, bits=8))
