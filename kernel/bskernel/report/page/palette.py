"""The page's colours, in light and in dark. Pure.

The kinds of bars are Okabe and Ito's colours, which people with any kind of colour blindness tell apart, made darker
or lighter where the background asks for it. No fact is in a colour alone: each has a word, a border or a pattern too.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LIGHT: Mapping[str, str] = MappingProxyType(
    {
        "ground": "#ffffff",
        "panel": "#f5f7fa",
        "text": "#1a2230",
        "soft": "#4d5868",
        "line": "#c6cdd6",
        "strong-line": "#6b7787",
        "link": "#0a5a96",
        "ran": "#0072b2",
        "recalled": "#6b7787",
        "waited": "#a9781a",
        "bottleneck": "#b44a00",
        "bottleneck-ground": "#fff1e6",
        "good": "#00704f",
        "bad": "#b3261e",
        "bad-ground": "#fdeceb",
        "heat": "#0072b2",
    }
)
DARK: Mapping[str, str] = MappingProxyType(
    {
        "ground": "#11161d",
        "panel": "#1a212b",
        "text": "#e8ecf1",
        "soft": "#aab4c2",
        "line": "#36404e",
        "strong-line": "#8592a3",
        "link": "#7cc0f5",
        "ran": "#56b4e9",
        "recalled": "#8592a3",
        "waited": "#e0b040",
        "bottleneck": "#ff9a5c",
        "bottleneck-ground": "#33200f",
        "good": "#4fd0a5",
        "bad": "#ff9c94",
        "bad-ground": "#3a1715",
        "heat": "#56b4e9",
    }
)


def style_of(colours: Mapping[str, str]) -> str:
    """The colours as CSS variables."""
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours #rrggbb, from 1 to 21, as WCAG 2 defines it."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
