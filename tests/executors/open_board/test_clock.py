"""The PLL's dividers and the UART's: what is computed is within the device's limits, the rest is refused."""

from fractions import Fraction

import pytest
from bskernel_executors.open_board.baud_rate import LEAST_CYCLES, MOST_ERROR, find_divisor, list_rates
from bskernel_executors.open_board.pll import MHZ, find_pll, write_clock
from hypothesis import given
from hypothesis import strategies as st

oscillators = st.sampled_from([Fraction(mhz) for mhz in (12, 25, 27, 48, 50, 100)])
periods = st.integers(2600, 99_999).map(lambda ps: Fraction(1_000_000, ps))  # in MHz


@given(oscillators, periods)
def test_a_clock_is_the_fastest_within_the_limits_that_is_not_faster_than_asked_for(
    oscillator: Fraction, asked: Fraction
) -> None:
    clocks = {  # every setting, tried one by one
        oscillator * feedback / divider
        for divider in range(1, 129)
        if 10 <= oscillator / divider <= 400
        for feedback in range(1, 129)
    }
    limits = [clock for clock in clocks if Fraction(25, 8) <= clock <= min(asked, Fraction(400))]
    reachable = [clock for clock in limits if any(400 <= clock * output <= 800 for output in range(1, 129))]
    if not reachable:
        with pytest.raises(ValueError, match="makes no clock of at most"):
            find_pll(oscillator * MHZ, asked * MHZ)
        return
    pll = find_pll(oscillator * MHZ, asked * MHZ)
    assert pll.output_hz == max(reachable) * MHZ
    assert 10 * MHZ <= pll.input_hz / pll.input_divider <= 400 * MHZ
    assert 400 * MHZ <= pll.oscillator_hz <= 800 * MHZ
    assert all(1 <= d <= 128 for d in (pll.input_divider, pll.feedback_divider, pll.output_divider))


def test_an_oscillator_that_the_pll_does_not_take_is_refused() -> None:
    with pytest.raises(ValueError, match="takes clocks of 8 to 400 MHz, but the oscillator has 4 MHz"):
        find_pll(Fraction(4 * MHZ), Fraction(50 * MHZ))


def test_the_pll_s_settings_are_those_in_its_module() -> None:
    text = write_clock(find_pll(Fraction(25 * MHZ), Fraction(100 * MHZ)))
    assert ".CLKI_DIV(1), .CLKFB_DIV(4), .CLKOP_DIV(6)" in text
    assert 'FREQUENCY_PIN_CLKOP = "100.000000"' in text
    assert "EHXPLLL" not in write_clock(None)


@given(st.integers(10 * MHZ, 400 * MHZ), st.integers(9600, 4_000_000))
def test_a_uart_misses_its_rate_by_a_hundredth_at_most_or_is_refused_with_rates_that_work(
    clock: int, baud: int
) -> None:
    divisor = max(1, round(clock / baud))
    if divisor >= LEAST_CYCLES and abs(Fraction(clock, divisor) / baud - 1) <= MOST_ERROR:
        assert find_divisor(Fraction(clock), baud) == divisor
        return
    with pytest.raises(ValueError, match="makes no UART of") as caught:
        find_divisor(Fraction(clock), baud)
    assert all(f"{rate:,}" in str(caught.value) for rate in list_rates(Fraction(clock)))


@given(st.integers(10 * MHZ, 400 * MHZ))
def test_every_rate_that_is_offered_can_be_made(clock: int) -> None:
    assert all(find_divisor(Fraction(clock), rate) for rate in list_rates(Fraction(clock)))
