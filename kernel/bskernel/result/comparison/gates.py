"""Gates: conditions on which a comparison fails, and what they come to for two builds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import msgspec

from bskernel.expr.ast import (
    Condition,
    Quantity,
    Side,
    Unjudgeable,
    is_true,
    named,
    quantities_in,
    text_of,
)
from bskernel.expr.parser import ExpressionError, parse
from bskernel.result.comparison.gate_names import QuantityNames
from bskernel.result.quantities import STAND_IN, FoundQuantity, stage_rank

VerdictStatus: TypeAlias = Literal["passed", "failed", "missing", "ignored"]
Missing: TypeAlias = Literal["fail", "ignore"]
_LETTER: dict[Side, str] = {"base": "A", "new": "B"}


class Gate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A condition that must not hold; `reason` explains why."""

    fail_if: str
    name: str = ""  # the condition itself when empty
    reason: str = ""

    @property
    def title(self) -> str:
        """How reports call it."""
        return self.name or self.fail_if


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """A number that a gate was judged by."""

    side: Side
    found: FoundQuantity


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate comes to. `missing`: it cannot be judged, and that counts; `ignored`: nor can it, and does not."""

    gate: Gate
    status: VerdictStatus
    text: str  # the condition with its numbers, or why it cannot be judged
    readings: tuple[Reading, ...] = ()

    @property
    def fails(self) -> bool:
        """Whether the comparison fails by it."""
        return self.status in {"failed", "missing"}


class _Missing(Exception):  # noqa: N818 - becomes a verdict
    """A number that is needed is missing."""


class _Values:
    """The quantities of both builds, looked up as a gate names them."""

    def __init__(self, base: Sequence[FoundQuantity], new: Sequence[FoundQuantity]) -> None:
        self._sides: dict[Side, Sequence[FoundQuantity]] = {"base": base, "new": new}
        self.names = QuantityNames((*base, *new), "neither build")

    def of(self, side: Side, name: str, stage: str | None = None) -> list[FoundQuantity]:
        """What a side says of a quantity."""
        found = [item for item in self._sides[side] if item.name == name]
        if not found:
            raise _Missing(f"{name} is missing in {_LETTER[side]}")
        at = [item for item in found if item.stage == stage or stage is None]
        if not at:
            stages = ", ".join(dict.fromkeys(item.stage for item in found))
            raise _Missing(f"{name}@{stage} is missing in {_LETTER[side]}, which has it at {stages}")
        return at

    def latest_stage(self, name: str, sides: Sequence[Side]) -> str:
        """The latest stage at which all these sides have the quantity."""
        stages = [{item.stage for item in self.of(side, name)} for side in sides]
        common = sorted(set.intersection(*stages), key=lambda stage: (stage_rank(stage), stage))
        if not common:
            have = "; ".join(
                f"{_LETTER[side]} has {', '.join(sorted(found, key=stage_rank))}"
                for side, found in zip(sides, stages, strict=True)
            )
            raise _Missing(f"{name} is at no stage that both builds have: {have}")
        return common[-1]

    def reading(self, side: Side, name: str, stage: str, *, both: bool) -> FoundQuantity:
        """The number of a side: of the first source that both have, where both are needed and share one."""
        mine = self.of(side, name, stage)
        if both:
            others = {item.source for item in self.of("new" if side == "base" else "base", name, stage)}
            mine = [item for item in mine if item.source in others] or mine
        return mine[0]


def _readings(condition: Condition, values: _Values) -> dict[Quantity, FoundQuantity]:
    wanted = {quantity: values.names.full_name(quantity) for quantity in quantities_in(condition)}
    sides: dict[str, list[Side]] = {}
    for quantity, name in wanted.items():
        if quantity.side not in sides.setdefault(name, []):
            sides[name].append(quantity.side)
    at = {
        quantity: quantity.stage or values.latest_stage(name, sorted(sides[name]))
        for quantity, name in wanted.items()
    }
    needed = {(quantity.side, name, at[quantity]) for quantity, name in wanted.items()}
    found = {}
    for quantity, name in wanted.items():
        other: Side = "new" if quantity.side == "base" else "base"
        both = (other, name, at[quantity]) in needed
        found[quantity] = values.reading(quantity.side, name, at[quantity], both=both)
    _same_units(found)
    _same_kind(found)
    return found


def _same_kind(found: Mapping[Quantity, FoundQuantity]) -> None:
    """A stand-in's numbers beside a tool's own say nothing of either."""
    kinds: dict[str, dict[bool, Side]] = {}
    for quantity, item in found.items():
        kinds.setdefault(f"{item.name}@{item.stage}", {})[item.is_stand_in] = quantity.side
    for name, sides in kinds.items():
        if len(sides) > 1:
            raise _Missing(
                f"{name} is a number of the stand-in for a tool in {_LETTER[sides[True]]}, not hardware's,"
                f" and in {_LETTER[sides[False]]} it is not: the two cannot be compared"
            )


def _same_units(found: Mapping[Quantity, FoundQuantity]) -> None:
    units: dict[str, str] = {}
    for item in found.values():
        if units.setdefault(item.name, item.unit) != item.unit:
            raise _Missing(f"{item.name} is once in {units[item.name]} and once in {item.unit}")


def _shown(found: Mapping[Quantity, FoundQuantity], quantity: Quantity) -> str:
    item = found[quantity]
    resolved = Quantity(side=quantity.side, name=item.name, stage=item.stage)
    unit, kind = "" if item.unit == "count" else f" {item.unit}", f", {STAND_IN}" if item.is_stand_in else ""
    return f"{named(resolved)} [{item.value:.10g}{unit}{kind}]"


def judge(
    gate: Gate, base: Sequence[FoundQuantity], new: Sequence[FoundQuantity], missing: Missing = "fail"
) -> Verdict:
    """What the gate comes to.

    Raises ExpressionError for a text that is no condition, and, unless what is missing is to be ignored, for names
    that neither build has: these are more often mistyped than absent. Where no build has any quantity, none is.
    """
    condition = parse(gate.fail_if)
    values = _Values(base, new)
    unjudged: VerdictStatus = "missing" if missing == "fail" else "ignored"
    try:
        found = _readings(condition, values)
        holds = is_true(condition, lambda quantity: found[quantity].value)
    except (_Missing, Unjudgeable) as error:
        return Verdict(gate=gate, status=unjudged, text=f"cannot be judged: {error}")
    except ExpressionError as error:
        if missing == "fail" and values.names.names:
            raise
        return Verdict(gate=gate, status=unjudged, text=f"cannot be judged: {error}")
    readings = tuple(dict.fromkeys(Reading(side=quantity.side, found=item) for quantity, item in found.items()))
    return Verdict(
        gate=gate,
        status="failed" if holds else "passed",
        text=text_of(condition, lambda quantity: _shown(found, quantity)),
        readings=readings,
    )
