"""By how much conditions are broken."""

import pytest
from bskernel.sweeps.analysis.constraints import judge_point, read_requirements
from bskernel.sweeps.analysis.metric import names_in
from bskernel.sweeps.search.violation import UNKNOWN, violation
from hypothesis import given
from hypothesis import strategies as st
from support.sweep_tables import found, row


def broken(text: str, **values: float) -> float:
    point = row("a", *(found(name, value) for name, value in values.items()))
    return violation(read_requirements([text], names_in([point]), "require")[0], point)


@pytest.mark.parametrize(
    ("text", "by"),
    [
        ("LUT < 50", 0.5),
        ("LUT <= 100", 0.0),
        ("LUT < 100", 1e-9),
        ("LUT < 200", -0.5),
        ("LUT > 200", 0.5),
        ("not LUT < 200", 0.5),
        ("LUT == 50", 0.5),
        ("LUT != 100", 1e-9),
        ("LUT < 50 and power < 1", 0.75),
        ("LUT < 50 or power < 1", 0.5),
        ("not (LUT > 50 or power > 1)", 0.75),
        ("LUT / power < 12.5", 0.5),
        ("LUT / (power - 4) < 1", UNKNOWN),
        ("LUT@synth < 50", UNKNOWN),
    ],
)
def test_it_is_the_distance_relative_to_the_larger_side(text: str, by: float) -> None:
    assert broken(text, LUT=100, power=4) == pytest.approx(by)


_SIDES = st.sampled_from(["a", "b", "c", "0", "2.5", "a + b", "-c"])
_COMPARING = st.builds("{} {} {}".format, _SIDES, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), _SIDES)
_CONDITIONS = st.recursive(
    _COMPARING,
    lambda inner: st.one_of(
        st.builds("not ({})".format, inner),
        st.builds("({}) {} ({})".format, inner, st.sampled_from(["and", "or"]), inner),
    ),
    max_leaves=5,
)
_VALUES = st.one_of(st.integers(-3, 3), st.floats(-1e6, 1e6, allow_subnormal=False))


@given(_CONDITIONS, _VALUES, _VALUES, _VALUES)
def test_it_is_above_zero_exactly_where_the_condition_does_not_hold(text: str, a: float, b: float, c: float) -> None:
    point = row("x", found("a", a), found("b", b), found("c", c))
    (requirement,) = read_requirements([text], names_in([point]), "require")
    assert (violation(requirement, point) > 0) == (judge_point(requirement, point).kept is False)
