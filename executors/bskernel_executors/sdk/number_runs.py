"""Runs of consecutive numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterable


def consecutive_runs(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """The runs in a set of numbers, in order: the first number of each, and the one after its last."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1]:
            runs[-1][1] += 1
        else:
            runs.append([number, number + 1])
    return [(first, end) for first, end in runs]
