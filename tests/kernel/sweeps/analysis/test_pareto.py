"""The Pareto set, against its definition."""

import random
from collections.abc import Sequence

from bskernel.sweeps.analysis.pareto import pareto_set
from hypothesis import given
from hypothesis import strategies as st

# Few distinct numbers, so that ties in some and in all objectives are common; and any finite ones.
_NUMBERS = st.one_of(st.integers(-3, 3), st.floats(allow_nan=False, allow_infinity=False))
_POINTS = st.integers(1, 4).flatmap(lambda size: st.lists(st.tuples(*[_NUMBERS] * size), max_size=40))


def dominates(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(mine <= theirs for mine, theirs in pairs) and any(mine < theirs for mine, theirs in pairs)


def by_definition(points: Sequence[Sequence[float]]) -> tuple[int, ...]:
    return tuple(at for at, point in enumerate(points) if not any(dominates(other, point) for other in points))


@given(_POINTS)
def test_it_is_what_no_other_point_dominates(points: list[tuple[float, ...]]) -> None:
    assert pareto_set(points) == by_definition(points)


def test_equal_points_stand_together() -> None:
    assert pareto_set([(1, 2), (2, 1), (1, 2), (2, 2)]) == (0, 1, 2)


def test_zero_is_equal_to_minus_zero() -> None:
    assert pareto_set([(0.0, 1), (-0.0, 1), (-0.0, 2)]) == (0, 1)


def test_no_points_have_none() -> None:
    assert pareto_set([]) == ()


def test_ten_thousand_points_with_three_numbers_of_which_half_are_dominated() -> None:
    # The hardest case for an algorithm that compares with the set so far: the set has thousands of points.
    draw = random.Random(5)  # noqa: S311 - numbers, no secret
    front = []
    for _ in range(5000):
        first, second = draw.random(), draw.random()
        front.append((first, second, -first - second))
    behind = [(first + 1e-9, second, third + 1e-9) for first, second, third in front]
    points = [*front, *behind]
    order = draw.sample(range(len(points)), len(points))
    found = pareto_set([points[at] for at in order])
    assert sorted(order[at] for at in found) == list(range(5000))
