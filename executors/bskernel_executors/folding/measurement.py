"""What a folding's layers and streams were predicted to take, and what was counted after synthesis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bskernel_executors.exchange.artifact_file import read_artifact
from bskernel_executors.exchange.budget_check import BudgetCheck, BudgetedResource
from bskernel_executors.exchange.design import Design
from bskernel_executors.exchange.synthesis import CellSynthesis, Synthesis
from bskernel_executors.folding.costs import (
    CONVERTER,
    FIFO,
    RESOURCES,
    STREAM,
    Costs,
    CostSamples,
    Sample,
    add_counts,
    describe_converter,
    describe_fifo,
    name_stream,
    split_converter,
)
from bskernel_executors.folding.families import CostFamily
from bskernel_executors.sdk import StepFailure


class PredictedPart(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A layer, or the streams between two layers: features by which it was predicted, and resource -> count."""

    name: str
    operator: str
    features: Mapping[str, float]
    counts: Mapping[str, float]


class PredictedCosts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """predicted_costs.json. `samples`: those that the build gave, so that what is measured adds to them."""

    network: str
    device: Mapping[str, float]
    budget: Mapping[str, float]
    predicted: Mapping[str, float]
    parts: tuple[PredictedPart, ...]
    samples: tuple[Sample, ...]
    family: CostFamily = "amd"


_PREDICTED = msgspec.json.Decoder(PredictedCosts)
_SAMPLES = msgspec.json.Decoder(CostSamples)


def read_predicted(path: Path) -> PredictedCosts:
    """Read predicted_costs.json. Raises StepFailure (config)."""
    return read_artifact(path, _PREDICTED, "predicted_costs.json", writer="finn-step:optimize_folding")


def read_own_samples(path: Path) -> tuple[Sample, ...]:
    """Read samples that a build gives. Raises StepFailure (config)."""
    return read_artifact(path, _SAMPLES, "cost_samples", writer="finn-step:measure_costs").samples


def _count(counts: Mapping[str, float]) -> dict[str, float]:
    """Counts by RESOURCES, with block RAM in halves of 18 Kb."""
    found = {name: float(counts[name]) for name in RESOURCES if name in counts}
    if "BRAM_36K" in counts:
        found["BRAM_18K"] = found.get("BRAM_18K", 0.0) + 2 * counts["BRAM_36K"]
    return found


def with_packed(synthesis: CellSynthesis, packed: Mapping[str, Mapping[str, int]]) -> CellSynthesis:
    """Return the synthesis with the counts of each layer as a router packs them."""
    total = add_counts(list(packed.values()))
    return msgspec.structs.replace(
        synthesis,
        tool=f"{synthesis.tool}, packed",
        design={**synthesis.design, **{name: round(count) for name, count in total.items()}},
        layers={name: {**counts, **packed.get(name, {})} for name, counts in synthesis.layers.items()},
    )


def measure(predicted: PredictedCosts, design: Design, synthesis: Synthesis) -> tuple[Sample, ...]:
    """What was counted of each layer and stream, as samples. Raises StepFailure for a design of another network."""
    found = _measure(predicted, design, synthesis)
    return tuple(msgspec.structs.replace(sample, family=predicted.family) for sample in found)


def _measure(predicted: PredictedCosts, design: Design, synthesis: Synthesis) -> tuple[Sample, ...]:
    layers = {part.name: part for part in predicted.parts if part.operator != STREAM}
    counted = {name: _count(counts) for name, counts in synthesis.layers.items()}
    lacking = [name for name in layers if name not in counted]
    if lacking:
        raise StepFailure(
            message=f"the synthesised design has no {', '.join(lacking[:3])}, which the folding was found for",
            hint="synthesis and optimize_folding must be steps of one build",
        )
    found = [
        _sample(predicted.network, part.operator, part.features, counted[name], name) for name, part in layers.items()
    ]
    for name, members in _find_streams(design, frozenset(layers)).items():
        widths = next((part.features for part in predicted.parts if part.name == name), None)
        if widths is not None:
            total = add_counts([counted[member] for member in members if member in counted])
            found.append(_sample(predicted.network, STREAM, widths, total, name))
    return (*found, *_measure_parts(predicted, design, counted))


def _sample(
    network: str, operator: str, features: Mapping[str, float], counts: Mapping[str, float], layer: str = ""
) -> Sample:
    others: dict[str, Any] = {name: count for name, count in counts.items() if name != "LUT"}
    return Sample(
        operator=operator, features=features, network=network, layer=layer, LUT=counts.get("LUT", 0.0), **others
    )


def _find_streams(design: Design, layers: frozenset[str]) -> dict[str, list[str]]:
    """The FIFOs and converters on the way from each layer to the next."""
    after: dict[str | None, list[str | None]] = {}
    for stream in design.streams:
        after.setdefault(stream.source, []).append(stream.sink)
    found: dict[str, list[str]] = {}
    for source in (None, *sorted(layers)):
        for sink in after.get(source, ()):
            passed, at = [], sink
            while at is not None and at not in layers:
                passed.append(at)
                at = after[at][0]
            found.setdefault(name_stream(source, at), []).extend(passed)
    return found


def _measure_parts(
    predicted: PredictedCosts, design: Design, counted: Mapping[str, Mapping[str, float]]
) -> list[Sample]:
    """FIFOs of the least depth, and converters, as samples of their own."""
    network = predicted.network
    bits = {stream.source: stream.format.parallel * stream.format.bits for stream in design.streams}
    bits_in = {stream.sink: stream.format.parallel * stream.format.bits for stream in design.streams}
    found = [
        _sample(network, FIFO, describe_fifo(fifo.width), counted[fifo.name])
        for fifo in design.fifos
        if fifo.depth <= design.smallest_fifo and fifo.name in counted
    ]
    for name in design.layers:
        if name.startswith(CONVERTER) and name in counted:
            features = describe_converter(bits_in[name], bits[name])
            if predicted.family != "amd":
                features = split_converter(features)
            found.append(_sample(network, CONVERTER, features, counted[name]))
    return found


def check_budget(predicted: PredictedCosts, synthesis: Synthesis) -> BudgetCheck:
    """Compare what was counted with the budget. A resource that the tool does not count is left out."""
    counted = _count(synthesis.design)
    return BudgetCheck(
        tool=synthesis.tool,
        resources={
            name: BudgetedResource(
                device=predicted.device[name],
                budget=round(budget, 1),
                predicted=round(predicted.predicted[name], 1),
                counted=counted[name],
            )
            for name, budget in predicted.budget.items()
            if name in counted and (budget or counted[name])
        },
    )


def make_rows(check: BudgetCheck) -> list[dict[str, str]]:
    """Make rows for the summary."""
    if not check.resources:
        return []
    uses = ", ".join(
        f"{name} {one.counted:,.0f} of {one.budget:,.0f} (predicted {one.predicted:,.0f})"
        for name, one in check.resources.items()
    )
    over = [f"{name} by {one.used - 1:.1%}" for name, one in check.resources.items() if one.used > 1]
    verdict = f"DOES NOT FIT: over its budget in {', '.join(over)}" if over else "fits"
    return [
        {"label": "budget", "value": verdict, "note": check.tool},
        {"label": "synthesised size", "value": uses, "note": check.tool},
    ]


def describe_fits(costs: Costs) -> list[dict[str, str]]:
    """A row for each resource: of each operator the number of samples, and the median error of one left out."""
    rows = []
    for resource, fits in costs.fits.items():
        given = {sample.operator for sample in costs.given}
        texts = [f"{name} {fit.samples}: {fit.error:.0%}" for name, fit in fits.items() if name in given]
        if texts:
            note = "operator, number of samples, median error of one left out"
            rows.append({"label": f"{resource} by fits", "value": ", ".join(texts), "note": note})
    return rows
