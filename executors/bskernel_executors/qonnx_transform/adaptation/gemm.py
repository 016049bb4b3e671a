"""Gemm as MatMul and Add, with its transpositions and factors in the constants."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation.network_graph import QUANTIZERS, NetworkGraph, attributes

KIND = "gemm"


def mend_gemm(model: Any) -> list[Change]:
    """Replace every Gemm: alpha * A' @ B' + beta * C, where ' transposes as transA and transB say."""
    network = NetworkGraph(model)
    changes = [_replace(network, node) for node in network.nodes if node.op_type == "Gemm"]
    if changes:
        network.drop_unused()
    return changes


def _replace(network: NetworkGraph, node: Any) -> Change:
    import numpy as np
    from onnx import helper

    given = attributes(node)
    alpha, beta = given.get("alpha", 1.0), given.get("beta", 1.0)
    left, right = node.input[0], node.input[1]
    bias = node.input[2] if len(node.input) > 2 else ""
    if given.get("transA", 0):
        left = _transpose(network, node, left)
    if given.get("transB", 0):
        right = _transpose(network, node, right)
    steps: list[tuple[str, str, str]] = []
    if alpha != 1:
        steps.append(("Mul", network.add_constant(f"{node.name}_alpha", np.float32(alpha).reshape(())), "alpha"))
    if bias:
        steps.append(("Add", _scale_bias(network, node, bias, np.float32(beta)), "bias"))
    target = node.output[0]
    value = network.new_tensor(f"{target}_product") if steps else target
    made = [helper.make_node("MatMul", [left, right], [value], name=network.new_name(f"{node.name}_MatMul"))]
    for at, (operator, constant, word) in enumerate(steps):
        output = target if at == len(steps) - 1 else network.new_tensor(f"{target}_{word}")
        made.append(
            helper.make_node(operator, [value, constant], [output], name=network.new_name(f"{node.name}_{operator}"))
        )
        value = output
    network.insert_before(node, *made)
    network.remove(node)
    said = [f"{name} = {given[name]:g}" for name in ("alpha", "beta", "transA", "transB") if name in given]
    return Change(
        kind=KIND,
        names=(node.name,),
        before=f"Gemm{' with ' if said else ''}{', '.join(said)}",
        after=" -> ".join(item.op_type for item in made),
        reason="FINN maps MatMul and Add to hardware; transpositions are done in the constants",
    )


def _scale_bias(network: NetworkGraph, node: Any, bias: str, beta: Any) -> str:
    """beta * C, in the constant where C is one."""
    from onnx import helper

    if beta == 1:
        return bias
    value = network.constant(bias)
    if value is not None:
        return network.add_constant(f"{node.name}_bias", (value * beta).astype(value.dtype))
    factor = network.add_constant(f"{node.name}_beta", beta.reshape(()))
    scaled = network.new_tensor(f"{node.name}_bias")
    made = helper.make_node("Mul", [bias, factor], [scaled], name=network.new_name(f"{node.name}_beta"))
    network.insert_before(node, made)
    return scaled


def _transpose(network: NetworkGraph, node: Any, name: str) -> str:
    """A tensor of rank 2, transposed: in the constant, in the constant of its quantizer, or by a node."""
    from onnx import helper

    value = network.constant(name)
    if value is not None:
        return network.add_constant(f"{name}_transposed", value.T.copy())
    quantizer = network.producer(name)
    if quantizer is not None and quantizer.op_type in QUANTIZERS:
        stored = network.constant(quantizer.input[0])
        parameters = [network.constant(item) for item in quantizer.input[1:]]
        if stored is not None and all(item is not None for item in parameters):
            return _transpose_quantizer(network, quantizer, stored, parameters)
    output = network.new_tensor(f"{name}_transposed")
    made = helper.make_node(
        "Transpose", [name], [output], name=network.new_name(f"{node.name}_Transpose"), perm=[1, 0]
    )
    network.insert_before(node, made)
    return output


def _transpose_quantizer(network: NetworkGraph, quantizer: Any, stored: Any, parameters: list[Any]) -> str:
    """A copy of the quantizer whose weights, scales and zero points are transposed; the old one goes when unused."""
    import onnx

    copy = onnx.NodeProto()
    copy.CopyFrom(quantizer)
    copy.name = network.new_name(f"{quantizer.name}_transposed")
    copy.output[0] = network.new_tensor(f"{quantizer.output[0]}_transposed")
    copy.input[0] = network.add_constant(f"{quantizer.input[0]}_transposed", stored.T.copy())
    for at, item in enumerate(parameters, start=1):
        if item.size > 1:
            whole = item.reshape((1,) * (2 - item.ndim) + item.shape)
            copy.input[at] = network.add_constant(f"{quantizer.input[at]}_transposed", whole.T.copy())
    network.insert_before(quantizer, copy)
    if len(network.consumers(quantizer.output[0])) == 1 and not network.is_output(quantizer.output[0]):
        network.remove(quantizer)
    return str(copy.output[0])
