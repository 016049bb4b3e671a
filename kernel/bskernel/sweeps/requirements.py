"""What a sweep's points must keep: conditions on their own metrics, judged as soon as numbers for them are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from bskernel.comparison import ExpressionError, Gate, judge, parse
from bskernel.comparison.expression import Quantity, named, quantities_in
from bskernel.comparison.quantities import Found
from bskernel.errors import ConfigError


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """A condition that must hold of a point, in the language of gates, without a base."""

    text: str
    quantities: tuple[Quantity, ...]


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What a point's requirements come to: all `kept`, one `broken`, or for some of them numbers `missing`."""

    status: Literal["kept", "broken", "missing"]
    reason: str | None = None  # of what is broken or missing


def read_requirements(texts: str | Sequence[str], where: str) -> tuple[Requirement, ...]:
    """The conditions of `require`. Raises ConfigError, which `where` begins, for what is none."""
    return tuple(_read(text, where) for text in ([texts] if isinstance(texts, str) else texts))


def _read(text: str, where: str) -> Requirement:
    try:
        found = tuple(quantities_in(parse(text)))
    except ExpressionError as error:
        raise ConfigError(f"{where}: {text}: {error}", hint='e.g. require = "LUT_utilization < 0.8"') from error
    for quantity in found:
        if quantity.side == "base":
            raise ConfigError(
                f"{where}: {text}: column {quantity.column}: a point has no base",
                hint="a requirement speaks of one build: compare a quantity with a number, or with another quantity",
            )
    return Requirement(text=text, quantities=found)


def judged(requirements: Sequence[Requirement], found: Sequence[Found]) -> Judgement:
    """What the requirements come to for a build that says these numbers. What is broken counts before the rest."""
    missing = []
    for requirement in requirements:
        verdict = judge(Gate(fail_if=requirement.text), (), found, "ignore")
        if verdict.status == "passed":  # as a gate's condition it must not hold; here it must
            return Judgement(status="broken", reason=f"requires {requirement.text}, but has {verdict.text}")
        if verdict.status == "ignored":
            missing.append(_why(requirement, found) or verdict.text)
    if missing:
        return Judgement(status="missing", reason="; ".join(missing))
    return Judgement(status="kept")


def _why(requirement: Requirement, found: Sequence[Found]) -> str | None:
    absent = [quantity for quantity in requirement.quantities if not any(_is(quantity, item) for item in found)]
    names = ", ".join(dict.fromkeys(named(quantity) for quantity in absent))
    return f"cannot tell whether {requirement.text}: the build has no {names}" if absent else None


def _is(quantity: Quantity, item: Found) -> bool:
    named_so = item.name == quantity.name or item.name.endswith(f".{quantity.name}")
    return named_so and quantity.stage in {None, item.stage}
