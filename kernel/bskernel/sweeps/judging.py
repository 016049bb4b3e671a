"""A point judged by what the sweep requires, as soon as numbers of it are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from bskernel.comparison import ExpressionError, parse
from bskernel.comparison.expression import quantities_in
from bskernel.comparison.naming import Names
from bskernel.comparison.quantities import Found
from bskernel.errors import ConfigError
from bskernel.sweeps.requirement import judge_point, read_requirements
from bskernel.sweeps.table import Row


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What all conditions come to: `kept`, one of them `broken`, or for some of them numbers `missing`."""

    status: Literal["kept", "broken", "missing"]
    reason: str | None = None  # of what is broken or missing


def check_conditions(texts: Sequence[str], where: str) -> None:
    """Is each a condition, whatever its quantities are? Raises ConfigError, which `where` begins."""
    for text in texts:
        try:
            for quantity in quantities_in(parse(text)):
                if quantity.side == "base":
                    raise ExpressionError("a point has no base to be compared with", quantity.column)
        except ExpressionError as error:
            raise ConfigError(f"{where}: {text}: {error}", hint='e.g. require = "utilization.LUT < 0.8"') from error


def judged(texts: Sequence[str], found: Sequence[Found]) -> Judgement:
    """What the conditions come to for a build that says these numbers. What is broken counts before the rest."""
    row = Row(name="", settings={}, status="ok", quantities=tuple(found))
    names = Names(found, "no step")
    missing = []
    for text in texts:
        try:
            (requirement,) = read_requirements([text], names, "require")
        except ConfigError:
            missing.append(f"{text} cannot be judged: {_absent(text, names)}")
            continue
        kept = judge_point(requirement, row)
        if kept.kept is False:
            return Judgement(status="broken", reason=kept.reason)
        if kept.kept is None:
            missing.append(kept.reason)
    return Judgement(status="missing", reason="; ".join(missing)) if missing else Judgement(status="kept")


def _absent(text: str, names: Names) -> str:
    """Which of the condition's names are none of the build's, at least not yet."""
    for quantity in quantities_in(parse(text)):
        try:
            names.full_name(quantity)
        except ExpressionError as error:
            return str(error).partition(": ")[2]  # without its column
    return ""
