"""The rate of a UART whose bits are whole cycles of a clock. Pure."""

from __future__ import annotations

from fractions import Fraction

# A byte has ten bits and is sampled in the middle of the last: half a bit off is wrong, by both sides together.
# A fifth of that is left to the board, the rest to the other side, the cable and the sampling.
MOST_ERROR = Fraction(1, 100)
LEAST_CYCLES = 4  # of a bit


def find_divisor(clock_hz: Fraction, baud: int) -> int:
    """Find the cycles of a bit. Raises ValueError, which names rates, if this one is missed by too much."""
    divisor = round(clock_hz / baud)
    if divisor >= LEAST_CYCLES and abs(clock_hz / divisor / baud - 1) <= MOST_ERROR:
        return divisor
    near = ", ".join(f"{rate:,}" for rate in list_rates(clock_hz))
    raise ValueError(
        f"a clock of {float(clock_hz / 1_000_000):g} MHz makes no UART of {baud:,} baud; it makes {near or 'none'}"
    )


def list_rates(clock_hz: Fraction) -> tuple[int, ...]:
    """List the usual rates that a clock can make."""
    usual = (115_200, 230_400, 460_800, 500_000, 921_600, 1_000_000, 1_500_000, 2_000_000, 3_000_000)
    return tuple(
        rate
        for rate in usual
        if (divisor := round(clock_hz / rate)) >= LEAST_CYCLES and abs(clock_hz / divisor / rate - 1) <= MOST_ERROR
    )
