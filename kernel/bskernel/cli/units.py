"""Durations, ages, dates and sizes: as users write them, and as they are shown."""

from __future__ import annotations

import datetime as dt
import re

import click

_MOST = 1e9  # of any unit: far beyond, arithmetic overflows

_DURATIONS = {"s": 1, "m": 60, "h": 3600}
_AGES = {"h": 3600, "d": 86_400, "w": 7 * 86_400}
_SIZES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}


def duration(text: str) -> float:
    """Seconds, from e.g. 90s, 10m or 1h30m. Raises click.BadParameter for anything else, and for zero."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text)
    seconds = sum(float(number) * _DURATIONS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or not 0 < seconds <= _MOST:
        raise click.BadParameter(f"{text!r} is not a duration: write e.g. 90s, 10m or 1h30m")
    return seconds


def age(text: str) -> float:
    """Seconds, from e.g. 12h, 30d or 8w. Raises click.BadParameter."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([hdw])", text)
    if match is None or float(match[1]) > _MOST:
        raise click.BadParameter(f"{text!r} is not an age: write e.g. 12h, 30d or 8w")
    return float(match[1]) * _AGES[match[2]]


def since(text: str) -> dt.datetime:
    """The time, in UTC, from which on something is meant: a date's first moment. Raises click.BadParameter."""
    return _moment(text, dt.timedelta(0))


def until(text: str) -> dt.datetime:
    """The time, in UTC, up to which something is meant: a date's last moment. Raises click.BadParameter."""
    return _moment(text, dt.timedelta(days=1, microseconds=-1))


def _moment(text: str, of_day: dt.timedelta) -> dt.datetime:
    """A date, a date with a time, in the local zone unless it names another one, or an age."""
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return (dt.datetime.fromisoformat(text) + of_day).astimezone(dt.UTC)
        if re.match(r"\d{4}-", text):
            return dt.datetime.fromisoformat(text).astimezone(dt.UTC)
        return dt.datetime.now(tz=dt.UTC) - dt.timedelta(seconds=age(text))
    except (ValueError, OverflowError, OSError, click.BadParameter):
        raise click.BadParameter(
            f"{text!r} is neither a date nor an age: write e.g. 2026-11-29, 2026-11-29T14:30 or 7d"
        ) from None


def size(text: str) -> int:
    """Bytes, from e.g. 500M, 20G or 1.5TiB. Raises click.BadParameter."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?I?)B?", text.strip().upper())
    if match is None or match[2] not in _SIZES or float(match[1]) > _MOST * 1e9:
        raise click.BadParameter(f"{text!r} is not a size: write e.g. 500M, 20G or 1.5TiB")
    return int(float(match[1]) * _SIZES[match[2]])


def describe_duration(seconds: float | None) -> str:
    """E.g. 4 s, 10 min, 1 h 30 min, 3 days; "-" for None."""
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes >= 2 * 24 * 60:
        return f"{minutes // (24 * 60)} days"
    hours = f"{minutes // 60} h" if minutes >= 60 else ""
    return f"{hours} {minutes % 60} min".strip() if minutes % 60 else hours


def describe_size(count: int) -> str:
    """E.g. 512 B, 1.2 MB, 20 GB."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 10 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
