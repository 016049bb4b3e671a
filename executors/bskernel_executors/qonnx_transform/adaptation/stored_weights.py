"""Weights that are whole multiples of a power of two: exporters that fold constants drop their quantizer."""

from __future__ import annotations

from typing import Any

from bskernel_executors.exchange.adaptation import Change
from bskernel_executors.qonnx_transform.adaptation.layers import find_layers
from bskernel_executors.qonnx_transform.adaptation.network_graph import NetworkGraph, fit_integer_type, make_quant

KIND = "stored_weights"
_MOST_BITS = 8  # weights that were trained as floats need more
_MOST_FRACTION = 24  # bits behind the binary point


def mend_stored_weights(model: Any) -> list[Change]:
    """Put a quantizer behind such weights, with which they keep their values."""
    network = NetworkGraph(model)
    changes = []
    for layer in list(find_layers(network)):
        if layer.weights_quantized:
            continue
        for at, name in enumerate(layer.node.input[:2]):
            value = network.constant(name)
            exponent = None if value is None or value.dtype.kind != "f" else _find_exponent(value)
            if exponent is None:
                continue
            bits, signed, narrow = fit_integer_type(value.astype("float64") * 2.0**exponent)
            target = network.new_tensor(f"{name}_quantized")
            quant = make_quant(
                network, f"{name}_Quant", name, target, scale=2.0**-exponent, bits=bits, signed=signed, narrow=narrow
            )
            network.insert_before(layer.node, quant)
            layer.node.input[at] = target
            changes.append(
                Change(
                    kind=KIND,
                    names=(layer.node.name,),
                    before=f"weights {name!r} without a quantizer, all of them multiples of 2**{-exponent}",
                    after=f"Quant of {bits} bits with the scale 2**{-exponent}",
                    reason="FINN needs to be told that weights are integers; their values stay the same",
                )
            )
    return changes


def _find_exponent(values: Any) -> int | None:
    """The smallest e >= 0 for which values * 2**e are whole numbers of a few bits, or None."""
    import numpy as np

    if not values.any() or not np.isfinite(values).all():
        return None
    wide = values.astype(np.float64)
    for exponent in range(_MOST_FRACTION + 1):
        scaled = wide * 2.0**exponent
        if np.abs(scaled).max() >= 1 << (_MOST_BITS - 1):
            return None
        if (scaled == np.round(scaled)).all():
            return exponent
    return None
