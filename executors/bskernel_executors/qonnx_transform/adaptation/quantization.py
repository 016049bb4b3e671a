"""Refuse a network that is not quantized, and name the layers of a network that is quantized in part."""

from __future__ import annotations

from typing import Any

from bskernel_executors.dataflow.widths import FINN_WIDEST
from bskernel_executors.qonnx_transform.adaptation.layers import Layer, count_macs, find_layers
from bskernel_executors.qonnx_transform.adaptation.network_graph import NetworkGraph, describe
from bskernel_executors.sdk import StepFailure

_SHOWN = 5
_HOW = (
    "quantize it before you train or export it, for example with Brevitas: "
    "replace nn.Conv2d and nn.Linear by brevitas.nn.QuantConv2d and QuantLinear (weight_bit_width=4), "
    "put QuantIdentity(bit_width=8) in front and QuantReLU(bit_width=4) in place of ReLU, "
    "train, then call brevitas.export.export_qonnx(net, args=torch.zeros(INPUT_SHAPE), export_path='net.onnx')"
)
_INPUT = (
    "put a quantizer (Brevitas: QuantIdentity) in front of the network; "
    "if its inputs are whole numbers, say so with the parameter input_datatype of the step adapt, such as 'UINT8'"
)


def check_quantization(model: Any) -> list[dict[str, str]]:
    """Return a row of the report for the layers that stay on the host; none where all are quantized.

    Raises StepFailure (model_load) when no layer is quantized in weights and input: nothing would be in hardware.
    """
    network = NetworkGraph(model)
    layers = list(find_layers(network))
    host = [layer for layer in layers if not (layer.weights_quantized and layer.input_quantized)]
    if not host:
        return []
    floats = [layer for layer in layers if not layer.weights_quantized]
    if len(floats) == len(layers):
        raise StepFailure(
            category="model_load",
            message=f"the network is not quantized: {_list(host)} of {len(layers)} layers have float weights",
            hint=_HOW,
        )
    if len(host) == len(layers):
        raise StepFailure(
            category="model_load",
            message=f"no layer can be hardware: {_list(host)} of {len(layers)} layers; {_explain(host)}",
            hint=_INPUT,
        )
    total = sum(count_macs(network, layer) for layer in layers)
    share = f", {sum(count_macs(network, layer) for layer in host) / total:.0%} of the MACs" if total else ""
    note = f"{len(host)} of {len(layers)} layers{share}: {_list(host)}. {_explain(host)}: {_INPUT}"
    return [{"label": "warning", "value": "layers stay on the host, because they are not quantized", "note": note}]


def _list(layers: list[Layer]) -> str:
    shown = [f"{describe(layer.node)} {list(layer.shape)}" for layer in layers[:_SHOWN]]
    more = len(layers) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _explain(layers: list[Layer]) -> str:
    reasons = []
    weights = [layer.node.name for layer in layers if not layer.weights_quantized]
    inputs = [layer.node.name for layer in layers if layer.weights_quantized]
    if inputs:
        reasons.append(f"no quantizer gives the input of {', '.join(inputs[:_SHOWN])}")
    if weights:
        reasons.append(f"no quantizer gives the weights of {', '.join(weights[:_SHOWN])}")
    return " and ".join(reasons)


def check_widths(model: Any, most_bits: int) -> list[dict[str, str]]:
    """Return a row of the report for activations that are wider than FINN converts by default.

    Raises StepFailure (model_load) for one of more than `most_bits` bits before a layer.
    """
    network = NetworkGraph(model)
    wide: dict[str, int] = {}
    for node in network.nodes:
        if node.op_type not in {"Quant", "IntQuant"} or network.constant(node.input[0]) is not None:
            continue
        width = network.constant(node.input[3])
        bits = 0 if width is None else int(width.max())
        if bits <= FINN_WIDEST:
            continue
        layer = _find_layer(network, node.output[0])
        if bits > most_bits and layer is not None:
            raise StepFailure(
                category="model_load",
                message=f"{describe(node)} quantizes the input of {describe(layer)} to {bits} bits: hardware "
                f"compares with 2**{bits} - 1 thresholds per channel, and the limit is {most_bits} bits",
                hint=f"train with an activation of {most_bits} bits or fewer; to try more, set "
                f"max_multithreshold_bit_width = {bits} both in [step.adapt.parameters] and in "
                "[step.step_qonnx_to_finn.parameters]",
            )
        if bits <= most_bits:
            wide[node.name] = bits
    if not wide:
        return []
    more = f" and {len(wide) - _SHOWN} more" if len(wide) > _SHOWN else ""
    names = ", ".join(f"{name} ({bits} bits)" for name, bits in list(wide.items())[:_SHOWN])
    note = (
        f"{names}{more}: hardware compares with up to 2**{max(wide.values())} - 1 thresholds per channel; FINN's own "
        f"limit of {FINN_WIDEST} bits is raised to {most_bits}"
    )
    return [{"label": "warning", "value": f"activations of more than {FINN_WIDEST} bits", "note": note}]


def _find_layer(network: NetworkGraph, tensor: str) -> Any:
    """The first layer with weights that a tensor reaches before it is quantized again, or None."""
    seen, waiting = set(), [tensor]
    while waiting:
        name = waiting.pop(0)
        for node in network.consumers(name):
            if node.op_type in {"Conv", "ConvTranspose", "MatMul", "Gemm"}:
                return node
            if node.op_type not in {"Quant", "IntQuant", "BipolarQuant"} and node.name not in seen:
                seen.add(node.name)
                waiting += node.output
    return None
