"""Parse cells as numbers. NA, blanks, dashes and bounds like `<0.01` are not numbers."""

from __future__ import annotations

import math
import re

_DECIMAL = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
_WHOLE = re.compile(r"[0-9]+")


def parse_decimal(text: str | None) -> float | None:
    """Parse a decimal number; None for any other text."""
    if text is None or not _DECIMAL.fullmatch(text.strip()):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def parse_count(text: str | None) -> int | None:
    """Parse a whole number of at least 0; None for any other text. `30.00` is a percentage, not a count."""
    return int(text) if text is not None and _WHOLE.fullmatch(text.strip()) else None


def sums_up(total: float, parts: tuple[float, ...], decimals: int) -> bool:
    """Return whether the total is the sum of its parts, all rounded to this many decimals."""
    return abs(total - math.fsum(parts)) <= (len(parts) + 1) * 0.5 / float(10**decimals) + 1e-9
