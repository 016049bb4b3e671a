"""The page's colours can be read, and told apart."""

from collections.abc import Mapping
from itertools import combinations

import pytest
from bskernel.report.page.palette import DARK, LIGHT, contrast

TEXTS = ("text", "soft", "link", "good", "bad", "bottleneck")
GROUNDS = ("ground", "panel", "bottleneck-ground", "bad-ground")
BARS = ("ran", "recalled", "bottleneck", "bad", "strong-line")
BOTH = pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
# How people without one kind of cones see linear red, green and blue (Vienot, Brettel and Mollon 1999).
BLIND = {
    "protan": ((0.1121, 0.8853, -0.0005), (0.1127, 0.8897, -0.0001), (0.0045, 0.0001, 1.0019)),
    "deutan": ((0.2920, 0.7054, -0.0003), (0.2934, 0.7089, 0.0000), (-0.0210, 0.0256, 1.0018)),
}


def seen(colour: str, kind: str) -> tuple[float, ...]:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return tuple(
        max(0.0, sum(part * c for part, c in zip(row, linear, strict=True))) ** (1 / 2.2) for row in BLIND[kind]
    )


@BOTH
def test_every_text_has_the_contrast_that_wcag_asks_for(colours: Mapping[str, str]) -> None:
    low = {
        (text, ground): found
        for text in TEXTS
        for ground in GROUNDS
        if (found := contrast(colours[text], colours[ground])) < 4.5
    }
    assert low == {}
    assert contrast(colours["ground"], colours["bottleneck"]) >= 4.5  # the tag


@BOTH
def test_every_bar_stands_out_from_the_page(colours: Mapping[str, str]) -> None:
    assert {bar for bar in BARS if contrast(colours[bar], colours["ground"]) < 3} == set()


@BOTH
@pytest.mark.parametrize("kind", BLIND)
def test_bars_differ_for_people_who_are_colour_blind(colours: Mapping[str, str], kind: str) -> None:
    for one, other in combinations(("ran", "bottleneck"), 2):
        apart = [abs(a - b) for a, b in zip(seen(colours[one], kind), seen(colours[other], kind), strict=True)]
        assert max(apart) > 0.25


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
