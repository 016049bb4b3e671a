"""Runs where FINN+ is: prints cycles of the fastest folding within a budget, and of FINN's own, as JSON."""

import copy
import json
import sys
from typing import Any

import bskernel_executors.finn_step.entries  # noqa: F401 - imports FINN so that it needs no torch
from bskernel_executors.finn_step.folding_units import Layers, list_units, name_ends
from bskernel_executors.folding.costs import Costs, name_stream
from bskernel_executors.folding.problem import FoldingProblem
from bskernel_executors.folding.solver import find_fastest
from finn.transformation.fpgadataflow.set_folding import SetFolding
from qonnx.core.modelwrapper import ModelWrapper

PART = "xczu7ev-ffvc1156-2-e"
# A Zynq 7020.
DEVICE = {"LUT": 53_200.0, "DSP": 220.0, "BRAM_18K": 280.0, "URAM": 0.0}
BUDGET = {"LUT": 0.7 * 53_200, "DSP": 0.9 * 220, "BRAM_18K": 0.9 * 280, "URAM": 0.0}
COSTS = Costs()


def fold_by_finn(model: Any, cycles: int) -> tuple[int, bool]:
    """The slowest layer's cycles when FINN aims at `cycles`, and whether that is within the budget."""
    folded = copy.deepcopy(model).transform(SetFolding(cycles, two_pass_relaxation=True))
    layers = Layers(folded, PART, COSTS)
    used = dict.fromkeys(DEVICE, 0.0)
    for node in layers.nodes:
        for name, count in layers.cost(node.name).items():
            used[name] = used.get(name, 0.0) + count
        for at, tensor in enumerate(node.input):
            source = folded.find_producer(tensor)
            if source is None:
                continue
            output = list(source.output).index(tensor)
            width = layers.instances[source.name].get_outstream_width(output)
            other = layers.instances[node.name].get_instream_width(at)
            used["LUT"] += COSTS.stream(name_stream(source.name, node.name), width, other).get("LUT", 0.0)
    slowest = max(int(layers.instances[node.name].get_exp_cycles()) for node in layers.nodes)
    return slowest, all(used[name] <= BUDGET[name] for name in BUDGET)


network = ModelWrapper(sys.argv[1])
units, links = list_units(Layers(network, PART, COSTS))
found = find_fastest(
    FoldingProblem(
        units=units,
        links=links,
        device=DEVICE,
        budget=BUDGET,
        stream=lambda link, width, other: COSTS.stream(name_ends(units, link), width, other),
    )
)
assert found is not None
low, high, best = 1, 10_000_000, None
while low < high:
    middle = (low + high) // 2
    slowest, fits = fold_by_finn(network, middle)
    if fits:
        high, best = middle, slowest if best is None else min(best, slowest)
    else:
        low = middle + 1
print(json.dumps({"optimised": found.cycles, "finn": best}))
