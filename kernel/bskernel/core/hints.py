"""Hints that list the valid names for a wrong one."""

from __future__ import annotations

from collections.abc import Sequence

_MOST = 40  # names that a hint lists; of more, only the nearest
_NEAREST = 5


def nearest(wrong: str, right: Sequence[str], number: int = 1) -> list[str]:
    """The names most like a wrong one, the most similar first; case counts least."""
    import difflib

    lower: dict[str, list[str]] = {}
    for name in right:
        lower.setdefault(name.lower(), []).append(name)
    found = difflib.get_close_matches(wrong.lower(), lower, n=number)
    return [name for low in found for name in lower[low]][:number]


def choices(wrong: str, right: Sequence[str], what: str) -> str:
    """A hint with the most similar name and the choices; of many, only the nearest."""
    near = nearest(wrong, right)
    guess = f"did you mean {near[0]!r}? " if near else ""
    if len(right) <= _MOST:
        return f"{guess}{what}: {', '.join(right) or 'none'}"
    import difflib

    shown = difflib.get_close_matches(wrong, right, n=_NEAREST, cutoff=0.0)
    return f"{guess}the nearest of {len(right)} {what}: {', '.join(shown)}"
