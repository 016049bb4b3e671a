"""Cells as numbers: NA, blanks, dashes and bounds such as `<0.01` are no numbers."""

from __future__ import annotations

import math
import re

_DECIMAL = re.compile(r"[-+]?[0-9]+(\.[0-9]+)?")
_WHOLE = re.compile(r"[0-9]+")


def decimal(text: str | None) -> float | None:
    """The number that the text plainly is, or None."""
    if text is None or not _DECIMAL.fullmatch(text.strip()):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def count(text: str | None) -> int | None:
    """The whole number, 0 or above, that the text plainly is, or None; `30.00` is a share, not a count."""
    return int(text) if text is not None and _WHOLE.fullmatch(text.strip()) else None


def sums_up(total: float, parts: tuple[float, ...], decimals: int) -> bool:
    """Is the total the sum of its parts, each rounded to so many decimals?"""
    return abs(total - math.fsum(parts)) <= (len(parts) + 1) * 0.5 / float(10**decimals) + 1e-9
