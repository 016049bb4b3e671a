"""Numbers as people say them: three significant digits, and a unit that fits the size. Pure."""

from __future__ import annotations

import re

from bskernel.report.significant_digits import rounded

_NUMBER = r"(?<![\w.,])(\d[\d,]*(?:\.\d+)?)"
_MEASURED = re.compile(_NUMBER + r"( ?)(inferences/s|us|ns|ms|s|%|MHz|KiB|MiB|mW|W)(?![\w/])")
_COUNTED = re.compile(r"^(\d{4,})(?=$| )|(?<![\w.,:/-])(\d{4,})(?= cycles\b)")
_RATES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""))
_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "us"))


def significant(value: float, digits: int = 3) -> str:
    """A number with so many significant digits; whole parts are never cut: 1,578, 12.2, 0.48, 0.00123."""
    shown = float(f"{value:.{digits}g}")
    return f"{value:,.0f}" if abs(shown) >= 10**digits else f"{shown:g}"


def time_text(seconds: float) -> str:
    """A time: 12.2 us, 1.58 ms, 16.9 s, 2 min 5 s, 1 h 12 min. "us" stands for the micro sign, see `in_unicode`."""
    if seconds >= 3600:
        return f"{seconds // 3600:.0f} h {seconds % 3600 // 60:.0f} min"
    if seconds >= 60:
        return f"{seconds // 60:.0f} min {int(seconds % 60)} s"
    if seconds <= 0:
        return "0 s"
    shown = float(f"{seconds:.3g}")
    factor, unit = next(((factor, unit) for factor, unit in _TIMES if shown >= factor), _TIMES[-1])
    return f"{significant(shown / factor)} {unit}"


def rate_text(per_s: float) -> str:
    """Frames per second: 765 frames/s, 195k frames/s, 1.36M frames/s."""
    shown = float(f"{per_s:.3g}")
    factor, prefix = next(((factor, prefix) for factor, prefix in _RATES if shown >= factor), _RATES[-1])
    return f"{significant(shown / factor)}{prefix} frames/s"


def humane(text: str) -> str:
    """The text with each measured number as people say it: 195,312 inferences/s is 195k frames/s, 1,577.9 us 1.58 ms.

    Counts keep all digits and get separators. A share is never rounded to 100 %. Other numbers keep four digits.
    """
    return rounded(_COUNTED.sub(lambda match: f"{int(match[0]):,}", _MEASURED.sub(_say, text)))


def _say(match: re.Match[str]) -> str:
    value, gap, unit = float(match[1].replace(",", "")), match[2], match[3]
    if unit == "inferences/s":
        return rate_text(value)
    if unit in {"us", "ms", "s"}:
        return time_text(value * {"us": 1e-6, "ms": 1e-3, "s": 1.0}[unit])
    shown = significant(value) if "." in match[1] else match[1]
    if unit == "%" and value < 100 <= float(shown.replace(",", "")):
        return match[0]  # 99.96 % is not all
    return f"{shown}{gap}{unit}"


def in_unicode(text: str) -> str:
    """The text with the micro sign in place of the u of us."""
    return re.sub(r"(?<=\d )us\b", "\N{MICRO SIGN}s", text)
