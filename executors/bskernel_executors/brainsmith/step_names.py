"""Brainsmith's step names as entry names. Pure.

Brainsmith writes SOURCE:STEP, or only STEP for the first source that has it. In a flow, a colon separates executor
and entry, so the entries are called SOURCE.STEP and STEP.
"""

from __future__ import annotations

from collections.abc import Iterable


def entry_name(step: str) -> str:
    """Return the entry of a step's name, qualified or short. Raises ValueError when the name cannot be recovered."""
    if "." in step or step.count(":") > 1:
        raise ValueError(f"step {step!r} has no entry, because its name has a dot or two colons")
    return step.replace(":", ".")


def step_name(entry: str) -> str:
    """Return the name of an entry's step."""
    return entry.replace(".", ":")


def list_names(qualified: Iterable[str]) -> tuple[str, ...]:
    """Return all names of these steps, qualified and short, sorted and without duplicates."""
    names = set(qualified)
    return tuple(sorted(names | {name.partition(":")[2] for name in names}))
