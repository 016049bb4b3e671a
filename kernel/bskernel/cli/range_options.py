"""The options that say which part of a flow a command is about."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from bskernel.core.stages import INPUT_TYPES, OUTPUT_TYPES

if TYPE_CHECKING:
    from bskernel.flow.selection import RangeRequest

_STEP = "a name, an index (also negative) or EXECUTOR:ENTRY."


class RangeOptions(NamedTuple):
    """What the options say."""

    first: str | None
    last: str | None
    input_type: str | None
    output_type: str | None

    def as_range_request(self) -> RangeRequest:
        """The same for a plan."""
        from bskernel.flow.selection import RangeRequest

        return RangeRequest(**self._asdict())


def range_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options; it gets them as `range_request`."""

    @functools.wraps(command)
    def wrapped(
        *, first: str | None, last: str | None, input_type: str | None, output_type: str | None, **others: Any
    ) -> None:
        command(range_request=RangeOptions(first, last, input_type, output_type), **others)

    for option in (
        click.option(
            "--output-type",
            type=click.Choice(OUTPUT_TYPES),
            help="End with the last step that leaves the model at this stage.",
        ),
        click.option(
            "--input-type",
            type=click.Choice(INPUT_TYPES),
            help="Begin at the first step that takes a model at this stage.",
        ),
        click.option("--to", "last", metavar="STEP", help=f"Last step: {_STEP}"),
        click.option("--from", "first", metavar="STEP", help=f"First step: {_STEP}"),
    ):
        wrapped = option(wrapped)
    return wrapped
