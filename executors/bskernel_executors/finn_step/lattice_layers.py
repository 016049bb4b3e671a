"""What layers are on a device of Lattice's, where Yosys chooses memories and products are in LUTs.

So it is by the default parameters of yosys-synth:synthesize_lattice_layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bskernel_executors.dataflow.operators import operator_of
from bskernel_executors.finn_step.threshold_features import count_levels
from bskernel_executors.folding.yosys_memories import count_blocks
from bskernel_executors.lattice.devices import Family, find_family


def describe_lattice_layer(
    found: Mapping[str, float], luts: float, node: Any, instance: Any, family: Family
) -> tuple[dict[str, float], dict[str, float]]:
    """The features of a layer, and its estimated resources.

    `found`: the features that any family has. `luts`: FINN's estimate.
    """
    operator = operator_of(node.op_type)
    features = {name: value for name, value in found.items() if name not in ("memory", "blocks_deep")}
    features |= {"dsp": 0.0, "replay": 0.0}
    blocks = 0
    if operator in ("MVAU", "VVAU"):
        added, blocks = _describe_unit(operator, instance, family)
        features |= added
    elif operator == "Thresholding":
        features.pop("estimate", None)  # of no use to the fit
        features |= _describe_thresholds(instance)
    estimate = {"LUT": luts, "DSP": 0.0, find_family(family).block_ram: float(blocks)}
    return features, estimate


def _describe_unit(operator: str, instance: Any, family: Family) -> tuple[dict[str, float], int]:
    """The memories of a matrix unit, in units of 64 bits or in 1,024 words of blocks, and its block RAMs.

    Its replay buffer keeps an input while its outputs are computed one after the other.
    """
    pe, simd = (int(instance.get_nodeattr(name)) for name in ("PE", "SIMD"))
    inputs, bits = (instance.get_input_datatype(at).bitwidth() for at in (0, 1))
    words, word = int(instance.calc_wmem()), int(pe * simd * bits)
    blocks = count_blocks(family, words, word)
    features = {"blocks_deep": words / 1024} if blocks else {"memory": words * word / 64}
    if operator != "MVAU" or instance.get_nodeattr("MH") == pe:
        return features, blocks
    kept = int(instance.get_nodeattr("MW")) // simd
    replay = count_blocks(family, kept, int(simd * inputs))
    if not replay:
        features["replay"] = kept * simd * inputs / 64
    return features, blocks + replay


def _describe_thresholds(instance: Any) -> dict[str, float]:
    pe, channels, steps = (int(instance.get_nodeattr(name)) for name in ("PE", "NumChannels", "numSteps"))
    stages = count_levels(steps)
    compared = float(pe * instance.get_input_datatype(0).bitwidth())
    return {
        "comparator_bits": compared,
        "compared_bits": compared * stages,
        "stages": float(pe * stages),
        "memory": float(channels * steps * instance.get_input_datatype(1).bitwidth()) / 64,
    }
