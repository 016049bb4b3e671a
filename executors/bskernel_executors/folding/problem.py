"""What can be folded how, and what that costs. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence

import msgspec


class UnitFolding(msgspec.Struct, frozen=True, kw_only=True):
    """One folding of a unit.

    `attributes`: layer -> attribute -> value. `cycles`: per frame, of its slowest layer. `cost`: resource -> count.
    `widths_in`, `widths_out`: bits per beat of each stream.
    """

    attributes: Mapping[str, Mapping[str, int | str]]
    cycles: int
    cost: Mapping[str, float]
    widths_in: tuple[int, ...]
    widths_out: tuple[int, ...]


class Unit(msgspec.Struct, frozen=True, kw_only=True):
    """Layers that are folded together, most often one, and the foldings that they can have."""

    name: str
    operator: str
    choices: tuple[UnitFolding, ...]


class StreamLink(msgspec.Struct, frozen=True, kw_only=True):
    """A stream from an output of one unit to an input of another, both by index."""

    source: int
    output: int
    target: int
    input: int


class FoldingProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Units in the order of the network, streams between them, the device and how much of it may be used.

    `device`, `budget`: resource -> count. `stream`: resource -> count of what is in a stream that one end gives and
    the other takes, by both widths in bits: FIFOs, and a converter between different ones.
    """

    units: tuple[Unit, ...]
    links: tuple[StreamLink, ...]
    device: Mapping[str, float]
    budget: Mapping[str, float]
    stream: Callable[[StreamLink, int, int], Mapping[str, float]]


class Folded(msgspec.Struct, frozen=True, kw_only=True):
    """A choice for each unit, by index, and what they come to."""

    chosen: tuple[int, ...]
    cycles: int
    latency: int
    used: Mapping[str, float]


def _is_as_good(one: UnitFolding, other: UnitFolding) -> bool:
    """Return whether `one` is nowhere worse than `other`, with the same streams."""
    return (
        (one.widths_in, one.widths_out) == (other.widths_in, other.widths_out)
        and one.cycles <= other.cycles
        and all(one.cost.get(name, 0) <= other.cost.get(name, 0) for name in {*one.cost, *other.cost})
    )


def leave_out_worse(unit: Unit) -> Unit:
    """Return the unit without choices that another one with the same streams is nowhere worse than."""
    kept: list[UnitFolding] = []
    for choice in sorted(unit.choices, key=lambda choice: (choice.cycles, sum(choice.cost.values()))):
        if not any(_is_as_good(better, choice) for better in kept):
            kept.append(choice)
    return msgspec.structs.replace(unit, choices=tuple(kept))


def converts(width: int, other: int) -> bool:
    """Return whether a width converter in RTL exists: one width must be a multiple of the other."""
    return max(width, other) % min(width, other) == 0


def needs_converters(problem: FoldingProblem, link: StreamLink) -> bool:
    """Return whether a stream can have converters in RTL alone; where no pair of choices allows it, any will do."""
    sources = {choice.widths_out[link.output] for choice in problem.units[link.source].choices}
    targets = {choice.widths_in[link.input] for choice in problem.units[link.target].choices}
    return any(converts(*pair) for pair in itertools.product(sources, targets))


def measure(problem: FoldingProblem, chosen: Sequence[int]) -> Folded:
    """Add up cycles, latency (the sum of cycles along the longest path) and resources of a choice for each unit."""
    choices = [unit.choices[at] for unit, at in zip(problem.units, chosen, strict=True)]
    used = {name: math.fsum(choice.cost.get(name, 0) for choice in choices) for name in problem.budget}
    starts = [0] * len(choices)
    for link in problem.links:
        source, target = choices[link.source], choices[link.target]
        starts[link.target] = max(starts[link.target], starts[link.source] + source.cycles)
        for name, count in problem.stream(link, source.widths_out[link.output], target.widths_in[link.input]).items():
            if name in used:
                used[name] += count
    latency = max(start + choice.cycles for start, choice in zip(starts, choices, strict=True))
    return Folded(chosen=tuple(chosen), cycles=max(choice.cycles for choice in choices), latency=latency, used=used)


def share_of_device(problem: FoldingProblem, used: Mapping[str, float]) -> float:
    """The sum over all resources of the share of the device: what is to be small where there is a choice."""
    return math.fsum(used[name] / problem.device[name] for name in problem.budget if problem.device[name])
