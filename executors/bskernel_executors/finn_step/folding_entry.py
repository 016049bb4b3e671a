"""The entry `optimize_folding`: the best folding within a budget, as FINN's folding file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from bskernel_protocol import pretty_json

from bskernel_executors.devices.resources import find_device
from bskernel_executors.finn_step.calibration import (
    COST_SAMPLES,
    PREDICTED_COSTS,
    make_folding,
    predict_parts,
    read_costs,
)
from bskernel_executors.finn_step.flow_ports import FLOW_INPUTS
from bskernel_executors.finn_step.parameters import Part
from bskernel_executors.finn_step.step_call import unpack_inputs
from bskernel_executors.folding.families import describe_defaults, find_budget, find_lattice_totals
from bskernel_executors.lattice.devices import is_lattice
from bskernel_executors.sdk import Output, Registry, Step, StepFailure, parameter

if TYPE_CHECKING:
    from bskernel_executors.finn_step.folding_units import Layers

_JSON = "application/json"


Amount = Annotated[float, msgspec.Meta(ge=0)]


class ResourceBudget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of each resource may be used: a share of the device up to 1, above that a count.

    A resource that is not given has the default of the part's family.
    """

    LUT: Amount | msgspec.UnsetType = msgspec.UNSET
    FF: Amount | msgspec.UnsetType = msgspec.UNSET
    DSP: Amount | msgspec.UnsetType = msgspec.UNSET
    BRAM_18K: Amount | msgspec.UnsetType = msgspec.UNSET
    BRAM_4K: Amount | msgspec.UnsetType = msgspec.UNSET
    URAM: Amount | msgspec.UnsetType = msgspec.UNSET
    pins: Amount | msgspec.UnsetType = msgspec.UNSET

    @property
    def given(self) -> dict[str, float]:
        """What is given."""
        found = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: amount for name, amount in found.items() if amount is not msgspec.UNSET}


class FoldingParameters(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of `optimize_folding`."""

    objective: Annotated[
        Literal["fastest", "smallest", "lowest_latency"],
        parameter(
            "fastest: least cycles of the slowest layer; smallest: least share of the device at target_fps;"
            " lowest_latency: least sum of cycles along the longest path",
            default_from="target.objective",
        ),
    ]
    fpga_part: Annotated[Part, parameter("FPGA part", default_from="target.part")]
    clock_ns: Annotated[float, parameter("clock period", unit="ns", default_from="target.clock_ns")]
    target_fps: Annotated[
        int | None, parameter("least throughput", unit="inferences/s", default_from="target.target_fps")
    ] = None
    budget: Annotated[
        ResourceBudget,
        parameter(
            "most of each resource of the part, such as LUT: a share of the device up to 1, above that a count;"
            " without one, the default of the part's family",
            default_from="target.budget",
        ),
    ] = ResourceBudget()


def _find_totals(part: str) -> dict[str, float]:
    """Find what a part has of each resource. Raises StepFailure (config) where that is not known."""
    if is_lattice(part):
        return find_lattice_totals(part)
    found = find_device(part, None)
    if found is None:
        raise StepFailure(
            category="config",
            message=f"it is not known what {part} holds, so there is no budget",
            hint="name a part of one of the boards that `bskernel steps finn-step` lists",
        )
    counts = {"LUT": found.LUT, "FF": found.FF, "DSP": found.DSP, "BRAM_18K": 2 * found.BRAM_36K, "URAM": found.URAM}
    return {name: float(count) for name, count in counts.items()}


def _find_budgets(params: FoldingParameters) -> tuple[dict[str, float], dict[str, float]]:
    """Find what the device has of each resource, and how much of it may be used.

    Raises StepFailure (config) for a device whose resources are unknown, and for a budget of what it does not have.
    """
    try:
        totals = _find_totals(params.fpga_part)
        return totals, find_budget(params.fpga_part, totals, params.budget.given)
    except ValueError as error:
        raise StepFailure(category="config", message=str(error)) from error


def _check_flip_flops(layers: Layers, budget: Mapping[str, float]) -> None:
    """Raise StepFailure (config) when FF has a budget, but what some operators take is not known."""
    known = layers.costs.fits["FF"]
    unknown = sorted({node.op_type for node in layers.nodes} - known.keys())
    if "FF" in budget and unknown:
        raise StepFailure(
            category="config",
            message=f"a budget of FF needs to know how many FFs {', '.join(unknown)} takes, and no sample says",
            hint="leave FF out of target.budget, or give optimize_folding cost_samples with such layers",
        )


def optimize_folding(step: Step[FoldingParameters]) -> None:
    """Find the best folding. Raises StepFailure: config if none fits, with what is short; timeout if undecided."""
    from bskernel_executors.finn_step.folding_units import Layers, list_units, name_ends
    from bskernel_executors.folding.certificate import Certificate, certify, explain_misfit, find_front
    from bskernel_executors.folding.problem import FoldingProblem
    from bskernel_executors.folding.report import make_report, make_rows
    from bskernel_executors.folding.solver import TIME_LIMIT_S, UndecidedError, find, find_fastest

    params = step.params
    device, budget = _find_budgets(params)
    model, _, _ = unpack_inputs(step)
    costs = read_costs(step.input("cost_samples"), step.required_input("model"), params.fpga_part)
    layers = Layers(model, params.fpga_part, costs)
    _check_flip_flops(layers, budget)
    step.progress("listing foldings")
    units, links = list_units(layers)

    ends = {link: name_ends(units, link) for link in links}
    problem = FoldingProblem(
        units=units,
        links=links,
        device=device,
        budget=budget,
        stream=lambda link, width, other: costs.stream(ends[link], width, other),
    )
    slowest = 1e9 / params.clock_ns / params.target_fps if params.target_fps else math.inf
    step.progress("solving")
    try:
        if params.objective == "fastest":
            found = find_fastest(problem)
            found = None if found is not None and found.cycles > slowest else found
        else:
            found = find(problem, slowest, "area" if params.objective == "smallest" else "latency")
        misfit = explain_misfit(problem, slowest) if found is None else None
    except UndecidedError as error:
        number = sum(len(unit.choices) for unit in units)
        raise StepFailure(
            category="timeout",
            message=f"no folding was proved best within {TIME_LIMIT_S:.0f} s:"
            f" {len(units)} layers have {number} foldings in all",
            hint="set target.target_fps near the pace you expect, to leave fewer foldings, or give a folding file",
        ) from error
    if found is None:
        raise StepFailure(
            category="config",
            message=f"no folding fits the budget: {misfit}",
            hint="raise target.budget, ask for a lower target.target_fps, or take a larger device"
            f" (budgets that are not given: {describe_defaults(params.fpga_part, params.budget.given) or 'none'})",
        )
    fastest = params.objective == "fastest"
    report = make_report(
        problem,
        found,
        objective=params.objective,
        clock_ns=params.clock_ns,
        certificate=certify(problem, found) if fastest else Certificate(),
        front=find_front(problem, found),
        costs=costs,
    )
    step.output("folding_config").write_text(pretty_json(make_folding(units, found.chosen)), encoding="utf-8")
    step.output("folding_report").write_text(pretty_json(report), encoding="utf-8")
    predicted = predict_parts(layers, problem, found, costs)
    step.output("predicted_costs").write_text(pretty_json(predicted), encoding="utf-8")
    step.record({"summary": make_rows(report, params.clock_ns)})


def declare_folding(registry: Registry) -> None:
    """Declare the entry."""
    registry.entry(
        "optimize_folding",
        summary="find the fastest, smallest or quickest folding within a budget of the device, exactly",
        parameters=FoldingParameters,
        inputs=(
            *FLOW_INPUTS,
            COST_SAMPLES,
        ),
        outputs=(
            Output("folding_config", kind="file", media_type=_JSON, help="FINN's folding file"),
            Output("folding_report", kind="file", media_type=_JSON, help="why it is the best one"),
            PREDICTED_COSTS,
        ),
        stage_in=("hwgraph",),
        failure="transform",
    )(optimize_folding)
