"""Why a step runs and is not recalled. Pure."""

from __future__ import annotations

from bskernel.core.action import Action, differences
from bskernel.core.step import FromStep, Step

FRESH = ("fresh: results of earlier builds were not recalled",)
NOT_CACHED = ("its result is not in the cache",)


def reasons_to_run(step: Step, action: Action, last: Action | None) -> tuple[str, ...]:
    """What changed in the key since the `last` run in the build directory, of a step that the cache does not have."""
    if last is None:
        return ("no earlier run in this build directory",)
    made_by = {
        f"input {name}: ": f", made by {source.step}"
        for name, source in step.inputs.items()
        if isinstance(source, FromStep)
    }
    changes = differences(last, action)
    return tuple(change + _maker(change, made_by) for change in changes) or NOT_CACHED


def _maker(change: str, made_by: dict[str, str]) -> str:
    return next((text for beginning, text in made_by.items() if change.startswith(beginning)), "")
