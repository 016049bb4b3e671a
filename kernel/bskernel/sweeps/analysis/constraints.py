"""Conditions that points must satisfy, judged as soon as their numbers are known."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Literal

import msgspec

from bskernel.core.errors import ConfigError
from bskernel.expr.ast import Condition, Quantity, Unjudgeable, is_true, quantities_in
from bskernel.result.comparison import ExpressionError, parse
from bskernel.result.comparison.gate_names import QuantityNames
from bskernel.result.quantities import FoundQuantity, stage_rank
from bskernel.sweeps.analysis.metric import is_stand_in
from bskernel.sweeps.analysis.table import Row


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """A condition with its names resolved."""

    text: str
    condition: Condition
    names: dict[str, str]  # name in the condition -> full name


class ConstraintCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a point satisfies a condition; `kept` is None if a number is missing."""

    kept: bool | None
    reason: str  # the numbers that decided, or what is missing
    stand_in: bool = False  # one of the numbers is from a stand-in for a tool


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict over all conditions: all `kept`, one `broken`, or numbers `missing`."""

    status: Literal["kept", "broken", "missing"]
    reason: str | None = None  # which condition is broken, or which number is missing


class Absent(LookupError):  # noqa: N818 - becomes a reason
    """A needed number is missing."""


@functools.cache
def _parsed(text: str) -> Condition:
    """Parse a condition on a single point. Raises ExpressionError."""
    condition = parse(text)
    for quantity in quantities_in(condition):
        if quantity.side == "base":
            raise ExpressionError("one build alone has no base to be compared with", quantity.column)
    return condition


def _named(text: str, names: QuantityNames) -> Requirement:
    """Parse a condition and resolve its names. Raises ExpressionError."""
    condition = _parsed(text)
    meant = {quantity.name: names.full_name(quantity) for quantity in quantities_in(condition)}
    return Requirement(text=text, condition=condition, names=meant)


def check_conditions(
    texts: Sequence[str], where: str, *, hint: str = 'e.g. require = "utilization.LUT < 0.8"'
) -> None:
    """Is each a condition, whatever its quantities are? Raises ConfigError, which `where` begins."""
    for text in texts:
        try:
            _parsed(text)
        except ExpressionError as error:
            raise ConfigError(f"{where}: {text}: {error}", hint=hint) from error


def read_requirements(texts: Sequence[str], names: QuantityNames, where: str) -> tuple[Requirement, ...]:
    """Conditions from text. Raises ConfigError with column and choices."""
    requirements = []
    for text in dict.fromkeys(texts):
        try:
            requirements.append(_named(text, names))
        except ExpressionError as error:
            hint = f"quantities: {', '.join(names.names) or 'none: there are no metrics'}"
            raise ConfigError(f"{where} {text!r}: {error}", hint=hint) from error
    return tuple(requirements)


def reading(quantity: Quantity, requirement: Requirement, row: Row) -> FoundQuantity:
    """A point's number for a quantity of the condition, at its latest stage where none is named. Raises Absent."""
    name = requirement.names[quantity.name]
    having = [item for item in row.quantities if item.name == name and quantity.stage in {None, item.stage}]
    if not having:
        raise Absent(f"{name}{'@' + quantity.stage if quantity.stage else ''} is missing")
    # A limit holds for the point alone, so it is the number that is nearest to the hardware.
    return max(having, key=lambda item: stage_rank(item.stage))


def judge_point(requirement: Requirement, row: Row) -> ConstraintCheck:
    """Whether a point keeps a condition: every quantity at the stage named, or at the point's latest."""
    try:
        found = {quantity: reading(quantity, requirement, row) for quantity in quantities_in(requirement.condition)}
        kept = is_true(requirement.condition, lambda quantity: found[quantity].value)
    except (Absent, Unjudgeable) as error:
        return ConstraintCheck(kept=None, reason=f"{requirement.text} cannot be judged: {error}")
    numbers = ", ".join(
        f"{item.name}@{item.stage} is {item.value:.10g}{'' if item.unit == 'count' else ' ' + item.unit}"
        for item in dict.fromkeys(found.values())
    )
    verb = "holds" if kept else "does not hold"
    stand_in = any(is_stand_in(item) for item in found.values())
    return ConstraintCheck(kept=kept, reason=f"{requirement.text} {verb}: {numbers}", stand_in=stand_in)


def judged(texts: Sequence[str], found: Sequence[FoundQuantity]) -> Judgement:
    """What conditions come to for a build that says these numbers, and may say more. What is broken counts first."""
    row = Row(name="", settings={}, status="ok", quantities=tuple(found))
    names = QuantityNames(found, "no step")
    missing = []
    for text in texts:
        try:
            kept = judge_point(_named(text, names), row)
        except ExpressionError as error:
            absent = str(error).partition(": ")[2]  # without its column
            kept = ConstraintCheck(kept=None, reason=f"{text} cannot be judged: {absent}")
        if kept.kept is False:
            return Judgement(status="broken", reason=kept.reason)
        if kept.kept is None:
            missing.append(kept.reason)
    return Judgement(status="missing", reason="; ".join(missing)) if missing else Judgement(status="kept")
