"""When output is coloured, and what in it: the same rules for every command, the progress bar and the log.

The variables are those of no-color.org and of bixense.com/clicolors; FORCE_COLOR is what CI systems set.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TextIO

from bskernel.report.styled_text import Line, render_line

_RULES = (
    (re.compile(r"\s*warning(:|\s\s)"), "warning"),
    (re.compile(r"error: |step \S+ (failed|did not finish), |\s+failed\s"), "bad"),
    (re.compile(r"\S+: ok, \d+ steps ran"), "good"),
    (re.compile(r"\S+: (failed|stopped|interrupted), \d+ steps ran"), "bad"),
)


def wants_colours(stream: TextIO, environment: Mapping[str, str] | None = None) -> bool:
    """Colours are for terminals; NO_COLOR or TERM=dumb says never, FORCE_COLOR or CLICOLOR_FORCE always."""
    variables = os.environ if environment is None else environment
    if variables.get("NO_COLOR"):
        return False
    if any(variables.get(name, "0") not in {"", "0", "false"} for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return variables.get("TERM") != "dumb" and variables.get("CLICOLOR") != "0" and stream.isatty()


def paint(text: str, stream: TextIO) -> str:
    """Colour the lines for people that say how something ended; what comes in must hold no escape sequences."""
    if not wants_colours(stream):
        return text
    return "\n".join(render_line(line, coloured=True) for line in lines_of(text))


def lines_of(text: str) -> list[Line]:
    """The lines of a text, those that say how something ended in its style."""
    return [((line, _style_of(line)),) for line in text.split("\n")]


def _style_of(line: str) -> str:
    return next((style for rule, style in _RULES if rule.match(line)), "")
