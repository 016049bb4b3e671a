"""An analysis of one's own: which part of each layer's weights is zero."""

import numpy as np


def zero_weights(model, metrics, params):
    """Zeros among the constants that MatMul nodes take, as they are quantized."""
    found = {}
    for node in model.graph.node:
        if node.op_type == "MatMul":
            weights = model.get_initializer(node.input[1])
            if weights is not None:
                found[node.name] = np.mean(weights == 0)
    sparse = [name for name, fraction in found.items() if fraction >= params["sparse_from"]]
    return {"zeros": found, "sparse_layers": sparse, "before_the_backend": metrics is None}


def frames_per_memory(model, metrics, params):
    """Estimated inferences/s for so many bits of weights: what memory buys."""
    bits = 0
    for node in model.graph.node:
        if node.op_type.startswith("MVAU"):
            bits += model.get_initializer(node.input[1]).size * model.get_tensor_datatype(node.input[1]).bitwidth()
    fps = next(value["value"] for value in metrics["throughput"] if value["stage"] == "estimate")
    return {"weight_bits": bits, "fps": fps * params["per_bits"] / bits}
