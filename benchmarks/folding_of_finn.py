"""Runs in FINN's own environment: the fastest folding within a budget, and the fastest of FINN's own within it.

Arguments: the FPGA part, and specialised models. Prints a JSON object: for each model both cycles per frame, and the
seconds that finding and proving took; and the seconds for drawn networks of 50 layers with 20 choices each.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bskernel_executors.devices.resources import find_device
from bskernel_executors.finn_step.calibration import read_costs
from bskernel_executors.finn_step.folding_units import Layers, list_units, name_ends
from bskernel_executors.finn_step.library import load
from bskernel_executors.folding.certificate import certify
from bskernel_executors.folding.problem import FoldingProblem, StreamLink, Unit, UnitFolding
from bskernel_executors.folding.solver import find, find_fastest

LUT, REST = 0.7, 0.9
_DRAWN = 5


def problem_of(layers: Layers, part: str, *, pruned: bool) -> FoldingProblem:
    """What can be folded how; `pruned` as in `list_units`."""
    units, links = list_units(layers, pruned=pruned)
    found = find_device(part, None)
    if found is None:
        raise ValueError(f"it is not known what {part} holds")
    device = {"LUT": found.LUT, "DSP": found.DSP, "BRAM_18K": 2 * found.BRAM_36K, "URAM": found.URAM}
    ends = {link: name_ends(units, link) for link in links}
    return FoldingProblem(
        units=units,
        links=links,
        device={name: float(count) for name, count in device.items()},
        budget={name: count * (LUT if name == "LUT" else REST) for name, count in device.items()},
        stream=lambda link, width, other: layers.costs.stream(ends[link], width, other),
    )


def own_cycles(problem: FoldingProblem, model: Any, part: str, costs: Any, target: int) -> int | None:
    """The cycles of FINN's own folding for a target of cycles; None if it does not fit, wherever weights lie."""
    import msgspec
    from finn.transformation.fpgadataflow.set_folding import SetFolding
    from qonnx.transformation.general import GiveUniqueNodeNames

    # FINN names bskernel's own pools after its HLS ones.
    own = model.transform(SetFolding(target)).transform(GiveUniqueNodeNames())
    folded = Layers(own, part, costs)

    def is_own(choice: UnitFolding) -> bool:
        return all(
            folded.get(layer, name) == settings.get(name, 0)
            for layer, settings in choice.attributes.items()
            for name in {*settings, "parallel_window"} - {"ram_style"}
            if folded.has(layer, name)
        )

    units = [msgspec.structs.replace(unit, choices=tuple(filter(is_own, unit.choices))) for unit in problem.units]
    if not all(unit.choices for unit in units):
        return None
    found = find(msgspec.structs.replace(problem, units=tuple(units)), float("inf"), "any")
    return found.cycles if found is not None else None


def compare(path: Path, part: str) -> dict[str, float]:
    """Both cycles per frame, and how long finding and proving the best took."""
    from qonnx.core.modelwrapper import ModelWrapper

    model = ModelWrapper(str(path))
    costs = read_costs(None, path, part)
    began = time.perf_counter()
    problem = problem_of(Layers(model, part, costs), part, pruned=True)
    best = find_fastest(problem)
    if best is None:
        raise ValueError(f"{path}: nothing fits")
    certify(problem, best)
    seconds = time.perf_counter() - began
    every = problem_of(Layers(model, part, costs), part, pruned=False)
    # None of FINN's own that fits is faster. Not by bisection: what fits does not follow from the target alone.
    paces = sorted({choice.cycles for unit in every.units for choice in unit.choices if choice.cycles >= best.cycles})
    found = (own_cycles(every, model, part, costs, pace) for pace in paces)
    own = next((cycles for cycles in found if cycles is not None), None)
    if own is None:
        raise ValueError(f"{path}: no folding of FINN's own fits")
    return {"finn": own, "best": best.cycles, "seconds": seconds}


def drawn_seconds(seed: int) -> float:
    """How long a chain of 50 layers with 20 choices each takes, to find and to prove."""
    draw = random.Random(seed)
    widths = [4, 8, 16, 32]

    def choice() -> UnitFolding:
        cycles = 2 ** draw.randint(4, 16)
        lut = draw.uniform(0.5, 2) * 3e6 / cycles + draw.uniform(20, 200)
        return UnitFolding(
            attributes={},
            cycles=cycles,
            cost={"LUT": lut, "DSP": float(draw.randint(0, 8))},
            widths_in=(draw.choice(widths),),
            widths_out=(draw.choice(widths),),
        )

    units = tuple(
        Unit(name=f"u{at}", operator="MVAU", choices=tuple(choice() for _ in range(20))) for at in range(50)
    )
    links = tuple(StreamLink(source=at, output=0, target=at + 1, input=0) for at in range(49))
    problem = FoldingProblem(
        units=units,
        links=links,
        device={"LUT": 53_200.0, "DSP": 220.0},
        budget={"LUT": 0.7 * 53_200, "DSP": 0.9 * 220},
        stream=lambda _, one, other: {"LUT": (one + other) / 8 if one != other else 0.0},
    )
    began = time.perf_counter()
    best = find_fastest(problem)
    if best is None:
        raise ValueError("nothing fits")
    certify(problem, best)
    return time.perf_counter() - began


def main() -> None:
    """Compare, and print."""
    part, *paths = sys.argv[1:]
    with tempfile.TemporaryDirectory() as state:
        import os

        os.environ["FINN_BUILD_DIR"] = state
        load()
        from finn.util.settings import initialize_dummy_settings

        initialize_dummy_settings()
        found = {path: compare(Path(path), part) for path in paths}
    print(json.dumps({"networks": found, "drawn": [drawn_seconds(seed) for seed in range(_DRAWN)]}))


if __name__ == "__main__":
    main()
