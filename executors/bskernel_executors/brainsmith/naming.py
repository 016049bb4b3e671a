"""Names of Brainsmith's steps as names of entries. Pure.

Brainsmith writes SOURCE:STEP, and STEP alone for the first source that has it. An entry's name holds no colon, since
a flow writes EXECUTOR:ENTRY: it is SOURCE.STEP, and STEP.
"""

from __future__ import annotations

from collections.abc import Iterable


def entry_name(step: str) -> str:
    """The entry of a step's name, qualified or short. Raises ValueError for a name that could not be told back."""
    if "." in step or step.count(":") > 1:
        raise ValueError(f"step {step!r}: a name with a dot, or with two colons, has no entry")
    return step.replace(":", ".")


def step_name(entry: str) -> str:
    """The step's name of an entry."""
    return entry.replace(".", ":")


def all_names(qualified: Iterable[str]) -> tuple[str, ...]:
    """Every name by which one of these steps can be asked for: qualified and short, each once, in order."""
    names = set(qualified)
    return tuple(sorted(names | {name.partition(":")[2] for name in names}))
