"""What layers take: predicted of a folding, drawn at random to be synthesised, and measured after synthesis."""

from __future__ import annotations

import hashlib
import math
import random
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from bskernel_protocol import pretty_json

from bskernel_executors.exchange.design import read_design
from bskernel_executors.exchange.synthesis import CellSynthesis, read_synthesis
from bskernel_executors.finn_step.flow_ports import FLOW_INPUTS
from bskernel_executors.finn_step.parameters import Part
from bskernel_executors.finn_step.step_call import unpack_inputs
from bskernel_executors.folding.costs import STREAM, Costs, CostSamples, describe_stream
from bskernel_executors.folding.families import find_cost_family
from bskernel_executors.folding.measurement import (
    PredictedCosts,
    PredictedPart,
    check_budget,
    describe_fits,
    make_rows,
    measure,
    read_own_samples,
    read_predicted,
    with_packed,
)
from bskernel_executors.folding.packed_cells import count_packed
from bskernel_executors.sdk import Input, Output, Registry, Step, StepFailure, parameter

if TYPE_CHECKING:
    from pathlib import Path

    from bskernel_executors.finn_step.folding_units import Layers
    from bskernel_executors.folding.problem import Folded, FoldingProblem, StreamLink, Unit

_JSON = "application/json"
COST_SAMPLES = Input(
    "cost_samples",
    kind="file",
    required=False,
    source="config",
    help="more layers that were synthesised, as measure_costs writes them",
    media_type=_JSON,
)
PREDICTED_COSTS = Output(
    "predicted_costs", kind="file", media_type=_JSON, help="what each layer and stream is to take"
)


class DrawParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `draw_folding`."""

    fpga_part: Annotated[Part, parameter("FPGA part", default_from="target.part")]
    seed: Annotated[int, parameter("equal seeds draw equal foldings")] = 0
    most_luts: Annotated[
        int, parameter("most LUTs that a layer is estimated to take, where it has such a folding")
    ] = 1500


def read_costs(given: Path | None, model: Path, part: str) -> Costs:
    """What layers of a model cost on a part, by the samples that are shipped and those that the build gives.

    Raises StepFailure (config) if all that the build gives are of other families.
    """
    network, family = hashlib.sha256(model.read_bytes()).hexdigest()[:16], find_cost_family(part)
    samples = read_own_samples(given) if given is not None else ()
    costs = Costs(samples, network=network, family=family)
    if samples and not costs.given:
        others = ", ".join(sorted({sample.family for sample in samples}))
        raise StepFailure(
            category="config",
            message=f"cost_samples: all {len(samples)} samples are of {others}, and {part} is of {family}",
            hint="measure with `bskernel calibrate` for this part, or leave out cost_samples",
        )
    return costs


def make_folding(units: tuple[Unit, ...], chosen: tuple[int, ...]) -> dict[str, Any]:
    """Make FINN's folding file."""
    folding: dict[str, Any] = {"Defaults": {}}
    for unit, at in zip(units, chosen, strict=True):
        folding |= {layer: dict(values) for layer, values in unit.choices[at].attributes.items() if values}
    return folding


def predict_parts(layers: Layers, problem: FoldingProblem, found: Folded, costs: Costs) -> PredictedCosts:
    """What each layer and each stream of a folding is predicted to take."""
    from bskernel_executors.finn_step.folding_units import list_outside, name_ends

    parts: list[PredictedPart] = []
    chosen = [unit.choices[at] for unit, at in zip(problem.units, found.chosen, strict=True)]
    for choice in chosen:
        layers.set(choice.attributes)
    for choice in chosen:
        for layer in choice.attributes:
            features, estimate = layers.describe(layer)
            operator = layers.by_name[layer].op_type
            count = costs.count(layer, operator, features, estimate)
            parts.append(PredictedPart(name=layer, operator=operator, features=features, counts=count))
    streams = [
        (
            name_ends(problem.units, link),
            chosen[link.source].widths_out[link.output],
            chosen[link.target].widths_in[link.input],
        )
        for link in problem.links
    ]
    streams += [
        (name, width, width) for choice in chosen for name, width in list_outside(layers, list(choice.attributes))
    ]
    for name, width, other in streams:
        features = describe_stream(width, other)
        counts = costs.stream(name, width, other)
        parts.append(PredictedPart(name=name, operator=STREAM, features=features, counts=counts))
    return PredictedCosts(
        network=costs.network,
        device=problem.device,
        budget=problem.budget,
        predicted=found.used,
        parts=tuple(parts),
        samples=costs.given,
        family=costs.family,
    )


def draw_units(units: tuple[Unit, ...], seed: int, most_luts: float) -> tuple[Unit, ...]:
    """Give each folding of each unit a price, its only cost: of cheap foldings some are drawn where prices are low.

    Foldings above `most_luts` LUTs are left out, where a unit has others.
    """
    draw = random.Random(seed)  # noqa: S311 - must be repeatable
    drawn = []
    for unit in units:
        small = [choice for choice in unit.choices if choice.cost.get("LUT", 0) <= most_luts]
        small = small or [min(unit.choices, key=lambda choice: choice.cost.get("LUT", 0))]
        priced = [msgspec.structs.replace(choice, cost={"LUT": draw.random()}) for choice in small]
        drawn.append(msgspec.structs.replace(unit, choices=tuple(priced)))
    return tuple(drawn)


def draw_folding(step: Step[DrawParameters]) -> None:
    """Draw a folding that RTL can have."""
    from bskernel_executors.finn_step.folding_units import Layers, list_units
    from bskernel_executors.folding.problem import FoldingProblem
    from bskernel_executors.folding.solver import find

    params = step.params
    model, _, _ = unpack_inputs(step)
    costs = read_costs(step.input("cost_samples"), step.required_input("model"), params.fpga_part)
    layers = Layers(model, params.fpga_part, costs)
    units, links = list_units(layers)

    def free(_link: StreamLink, _width: int, _other: int) -> dict[str, float]:
        return {}

    priced = draw_units(units, params.seed, params.most_luts)
    problem = FoldingProblem(units=priced, links=links, device={"LUT": 1.0}, budget={"LUT": math.inf}, stream=free)
    found = find(problem, math.inf, "area")
    if found is None:
        raise StepFailure(
            category="config",
            message=f"no foldings below {params.most_luts:,} LUTs have streams whose widths a converter takes",
            hint="raise the parameter most_luts",
        )
    step.output("folding_config").write_text(pretty_json(make_folding(priced, found.chosen)), encoding="utf-8")
    whole = msgspec.structs.replace(problem, device={}, budget={})
    predicted = predict_parts(layers, whole, msgspec.structs.replace(found, used={}), costs)
    step.output("predicted_costs").write_text(pretty_json(predicted), encoding="utf-8")


def measure_costs(step: Step[msgspec.Struct]) -> None:
    """Compare a synthesised design with its budget, and write what its layers and streams take as samples."""
    predicted = read_predicted(step.required_input("predicted_costs"))
    synthesis = read_synthesis(step.required_input("synthesis"))
    netlist = step.input("lattice_netlist")
    if netlist is not None and predicted.family != "amd" and isinstance(synthesis, CellSynthesis):
        synthesis = with_packed(synthesis, count_packed(netlist, predicted.family, synthesis.layers))
    measured = measure(predicted, read_design(step.required_input("rtl")), synthesis)
    samples = CostSamples(samples=(*predicted.samples, *measured))
    step.output("cost_samples").write_text(pretty_json(samples), encoding="utf-8")
    check = check_budget(predicted, synthesis)
    step.output("budget_check").write_text(pretty_json(check), encoding="utf-8")
    step.record({"summary": [*make_rows(check), *describe_fits(Costs(samples.samples, family=predicted.family))]})


def declare_calibration(registry: Registry) -> None:
    """Declare the entries."""
    registry.entry(
        "draw_folding",
        summary="draw a folding at random, of small layers that are synthesised in no time",
        parameters=DrawParameters,
        inputs=(*FLOW_INPUTS, COST_SAMPLES),
        outputs=(
            Output("folding_config", kind="file", media_type=_JSON, help="FINN's folding file"),
            PREDICTED_COSTS,
        ),
        stage_in=("hwgraph",),
        failure="transform",
    )(draw_folding)
    registry.entry(
        "measure_costs",
        summary="what a synthesised design takes, beside its budget, and by layer for optimize_folding to learn from",
        inputs=(
            Input("predicted_costs", kind="file", help="predicted_costs.json from optimize_folding"),
            Input("rtl", kind="tree", help="the stitched design"),
            Input("synthesis", kind="file", help="synthesis.json of it"),
            Input(
                "lattice_netlist",
                kind="file",
                required=False,
                media_type=_JSON,
                help="from yosys-synth:join_lattice: counts are then those that nextpnr packs",
            ),
        ),
        outputs=(
            Output("cost_samples", kind="file", media_type=_JSON, help="samples that were given, and these layers"),
            Output("budget_check", kind="file", media_type=_JSON, help="counts beside the budget"),
        ),
        failure="synthesis",
    )(measure_costs)
