"""The fastest folding, against an exhaustive search."""

import itertools
import math
import random

import msgspec
import pytest
from bskernel_executors.folding import solver
from bskernel_executors.folding.certificate import certify, explain_misfit, find_front
from bskernel_executors.folding.problem import (
    Folded,
    FoldingProblem,
    StreamLink,
    Unit,
    UnitFolding,
    converts,
    leave_out_worse,
    measure,
    needs_converters,
    share_of_device,
)
from bskernel_executors.folding.solver import UndecidedError, find, find_fastest

DEVICE = {"LUT": 100.0, "DSP": 20.0}


def choice(cycles: int, lut: float, dsp: float, widths: tuple[int, int] = (8, 8)) -> UnitFolding:
    return UnitFolding(
        attributes={}, cycles=cycles, cost={"LUT": lut, "DSP": dsp}, widths_in=widths[:1], widths_out=widths[1:]
    )


def chain(
    *units: list[UnitFolding], budget: dict[str, float], links: list[tuple[int, int]] | None = None
) -> FoldingProblem:
    pairs = links if links is not None else [(at, at + 1) for at in range(len(units) - 1)]
    return FoldingProblem(
        units=tuple(Unit(name=f"u{at}", operator="MVAU", choices=tuple(choices)) for at, choices in enumerate(units)),
        links=tuple(StreamLink(source=source, output=0, target=target, input=0) for source, target in pairs),
        device=DEVICE,
        budget=budget,
        stream=lambda _, one, other: {"LUT": (one + other) / 8 if one != other else 0.0},
    )


def drawn(seed: int) -> FoldingProblem:
    draw = random.Random(seed)  # noqa: S311 - must be repeatable
    widths = [2, 3, 4, 6, 8]
    units = [
        [
            choice(draw.choice([1, 2, 3, 4, 6, 8, 12]), draw.randint(1, 30), draw.randint(0, 6),
                   (draw.choice(widths), draw.choice(widths)))
            for _ in range(draw.randint(1, 4))
        ]
        for _ in range(draw.randint(2, 4))
    ]  # fmt: skip
    fork = [(0, at) for at in range(1, len(units))] if draw.random() < 0.3 else None
    return chain(*units, budget={"LUT": draw.randint(10, 100), "DSP": draw.randint(2, 20)}, links=fork)


def search(problem: FoldingProblem) -> list[Folded]:
    """Every folding that fits and whose streams can be converted."""
    found = []
    for chosen in itertools.product(*(range(len(unit.choices)) for unit in problem.units)):
        folded = measure(problem, chosen)
        pairs = [
            (
                problem.units[link.source].choices[chosen[link.source]].widths_out[link.output],
                problem.units[link.target].choices[chosen[link.target]].widths_in[link.input],
                needs_converters(problem, link),
            )
            for link in problem.links
        ]
        fits = all(folded.used[name] <= budget + 1e-9 for name, budget in problem.budget.items())
        if fits and all(converts(one, other) or not strict for one, other, strict in pairs):
            found.append(folded)
    return found


@pytest.mark.parametrize("seed", range(200))
def test_the_fastest_and_then_smallest_folding_is_that_of_an_exhaustive_search(seed: int) -> None:
    problem = drawn(seed)
    fitting, found = search(problem), find_fastest(problem)
    if not fitting:
        assert found is None
        assert explain_misfit(problem)
        return
    assert found is not None
    best = min((folded.cycles, share_of_device(problem, folded.used)) for folded in fitting)
    assert found.cycles == best[0]
    assert share_of_device(problem, found.used) == pytest.approx(best[1])
    shortest = find(problem, math.inf, "latency")
    assert shortest is not None
    assert shortest.latency == min(folded.latency for folded in fitting)


@pytest.mark.parametrize("seed", range(40))
def test_leaving_out_what_is_worse_changes_no_optimum(seed: int) -> None:
    problem = drawn(seed)
    units = tuple(leave_out_worse(unit) for unit in problem.units)
    smaller = FoldingProblem(
        units=units, links=problem.links, device=problem.device, budget=problem.budget, stream=problem.stream
    )
    whole, found = find_fastest(problem), find_fastest(smaller)
    assert (whole is None) == (found is None)
    if whole is not None and found is not None:
        assert whole.cycles == found.cycles
        assert share_of_device(problem, whole.used) == pytest.approx(share_of_device(problem, found.used))


LADDER = [choice(8, 10, 1), choice(4, 20, 2), choice(2, 40, 4), choice(1, 80, 8)]


def test_a_certificate_names_the_resource_that_binds_and_what_more_of_it_gives() -> None:
    problem = chain(LADDER, LADDER, budget={"LUT": 79, "DSP": 20})
    found = find_fastest(problem)
    assert found is not None
    assert (found.cycles, dict(found.used)) == (4, {"LUT": 40, "DSP": 4})
    certificate = certify(problem, found)
    assert (certificate.next_faster_cycles, certificate.binding) == (2, ("LUT",))
    assert certificate.with_one_percent_more == {"LUT": 2}


def test_a_certificate_names_the_units_that_cannot_be_faster() -> None:
    problem = chain(LADDER[:2], LADDER, budget={"LUT": 100, "DSP": 20})
    found = find_fastest(problem)
    assert found is not None
    assert certify(problem, found).fastest_units == ("u0",)


def test_two_resources_that_bind_together_are_not_named_alone() -> None:
    problem = chain([choice(2, 50, 10), choice(1, 90, 18)], budget={"LUT": 60, "DSP": 12}, links=[])
    found = find_fastest(problem)
    assert found is not None
    certificate = certify(problem, found)
    assert (certificate.next_faster_cycles, certificate.binding) == (1, ())


def test_a_front_begins_at_the_fastest_and_gets_smaller() -> None:
    problem = chain(LADDER, LADDER, budget={"LUT": 100, "DSP": 20})
    found = find_fastest(problem)
    assert found is not None
    points = find_front(problem, found)
    assert [(point.cycles, point.used["LUT"]) for point in points] == [(2, 80), (4, 40), (8, 20)]


@pytest.mark.parametrize(
    ("units", "slowest", "reason"),
    [
        ([[choice(1, 30, 21)]], math.inf, "u0 alone needs 21 DSP, and the budget is 20"),
        ([[choice(9, 1, 1)]], 5, "u0 takes 9 cycles per frame at least, but 5 are asked for"),
        ([[choice(1, 60, 1)], [choice(1, 60, 1)]], math.inf, "the smallest folding needs 120 LUT of 100"),
    ],
)
def test_what_does_not_fit_is_named(units: list[list[UnitFolding]], slowest: float, reason: str) -> None:
    problem = chain(*units, budget=dict(DEVICE))
    assert find(problem, slowest, "any") is None
    assert explain_misfit(problem, slowest) == reason


def test_every_resource_that_a_layer_cannot_have_is_named_with_its_layer() -> None:
    for name in ("LUT", "FF", "DSP", "BRAM_18K", "URAM"):
        short = UnitFolding(attributes={}, cycles=1, cost={name: 9.0}, widths_in=(8,), widths_out=(8,))
        problem = msgspec.structs.replace(
            chain([choice(1, 0, 0)], [short], budget={}), device={name: 10.0}, budget={name: 8.0}
        )
        assert find(problem, math.inf, "any") is None
        assert explain_misfit(problem) == f"u1 alone needs 9 {name}, and the budget is 8"


def test_a_layer_that_lacks_one_resource_or_another_in_each_of_its_foldings_is_named_with_both() -> None:
    problem = chain([choice(1, 60, 0), choice(1, 70, 0), choice(1, 10, 9)], budget={"LUT": 50, "DSP": 5})
    assert explain_misfit(problem) == "u0 alone needs 60 LUT of 50, or 9 DSP of 5"


def test_several_layers_that_do_not_fit_are_all_counted() -> None:
    problem = chain(*[[choice(1, 60, 0)]] * 5, budget={"LUT": 50, "DSP": 5})
    assert explain_misfit(problem).endswith("u2 alone needs 60 LUT, and the budget is 50; and 2 more layers")


def test_a_solver_without_time_says_that_it_is_undecided_and_leaves_what_was_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    units = [[choice(n % 7 + at, n * at, n) for n in range(1, 30)] for at in range(1, 30)]
    problem = chain(*units, budget={"LUT": 9000, "DSP": 300})
    monkeypatch.setattr(solver, "TIME_LIMIT_S", 0.0)
    with pytest.raises(UndecidedError):
        find_fastest(problem)
    found = Folded(chosen=(), cycles=99, latency=99, used={"LUT": 1.0})
    assert certify(problem, found).undecided
    assert [point.cycles for point in find_front(problem, found)] == [99]
