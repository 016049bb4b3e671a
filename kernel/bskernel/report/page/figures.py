"""Numbers as people read them: at most four significant digits, units that fit the size. Pure."""

from __future__ import annotations

from bskernel.report.significant_digits import rounded

# Unit -> (factor, unit) of the next larger and smaller one, and from where on it is used.
_LARGER = {"us": (1e3, "ms"), "ms": (1e3, "s"), "B": (1024.0, "KiB"), "KiB": (1024.0, "MiB"), "mW": (1e3, "W")}
_SMALLER = {"W": (1e3, "mW"), "KiB": (1024.0, "B"), "ms": (1e3, "us")}
_SHOWN = {"us": "\N{MICRO SIGN}s", "count": "", "fraction": "%"}


def number(value: float) -> str:
    """A number without its unit."""
    return rounded(f"{value:,.10g}")


def figure(value: float, unit: str) -> tuple[str, str]:
    """The text of a number and its unit: 1577.905 us is ("1.578", "ms"); a fraction is in percent."""
    if unit == "fraction":
        return number(100 * value), "%"
    size = abs(value)
    if unit in _LARGER and size >= _LARGER[unit][0]:
        factor, larger = _LARGER[unit]
        return figure(value / factor, larger)
    if unit in _SMALLER and 0 < size < 1:
        factor, smaller = _SMALLER[unit]
        return figure(value * factor, smaller)
    return number(value), unit_text(unit)


def unit_text(unit: str) -> str:
    """A unit as people write it; none for a count."""
    return _SHOWN.get(unit, unit)


def with_unit(value: float, unit: str) -> str:
    """The same as one text."""
    text, shown = figure(value, unit)
    return f"{text} {shown}".rstrip()


def percent(fraction: float) -> str:
    """A fraction in percent, with three significant digits."""
    return f"{100 * fraction:.3g} %" if fraction < 1 else f"{100 * fraction:,.0f} %"


def shape_text(shape: tuple[int | None, ...] | None) -> str:
    """1 x 32 x 32 x 3; an unknown dimension is a question mark."""
    return "" if shape is None else " x ".join("?" if size is None else str(size) for size in shape) or "scalar"


def size_text(size: int) -> str:
    """Bytes: 1,234 B, 12.3 KiB, 4.5 MiB."""
    return with_unit(float(size), "B")
