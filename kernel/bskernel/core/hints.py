"""Hints that list the valid names for a wrong one."""

from __future__ import annotations


def choices(wrong: str, right: list[str], what: str) -> str:
    """A hint that lists the choices, with the closest one first."""
    import difflib

    near = difflib.get_close_matches(wrong, right, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    return f"{guess}{what}: {', '.join(right) or 'none'}"
