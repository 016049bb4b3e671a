"""When output is coloured, and what in it: the same rules for every command, the progress bar and the log.

The variables are those of no-color.org and of bixense.com/clicolors; FORCE_COLOR is what CI systems set.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TextIO

_RESET = "\x1b[0m"
_RULES = (
    (re.compile(r"\s*warning(:|\s\s)"), "\x1b[33m"),
    (re.compile(r"error: |step \S+ (failed|did not finish), |\s+failed\s"), "\x1b[1;31m"),
    (re.compile(r"\S+: ok, \d+ steps ran"), "\x1b[1;32m"),
    (re.compile(r"\S+: (failed|stopped|interrupted), \d+ steps ran"), "\x1b[1;31m"),
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
    return "\n".join(_paint_line(line) for line in text.split("\n"))


def _paint_line(line: str) -> str:
    colour = next((colour for rule, colour in _RULES if rule.match(line)), None)
    return line if colour is None else f"{colour}{line}{_RESET}"
