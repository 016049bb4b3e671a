"""Finds out which backends this machine can run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bskernel.images import Recipe, why_not_here
from bskernel.plan.backend_choice import Availability
from bskernel.plan.backend_data import Backend


def find_availability(
    recipes: Sequence[Recipe], backends: Iterable[Backend], cache: Path, is_built: Callable[[Recipe], bool]
) -> Availability:
    """List the executor versions of backends that this machine cannot run, each with the reason."""
    known = {recipe.name for recipe in recipes}
    needed = [(name, version) for backend in backends for name, version in backend.file.executors.items()]
    missing = {
        f"{name}@{version}": f"no recipe images/{name}/{version}"
        for name, version in needed
        if f"{name}@{version}" not in known
    }
    for recipe in recipes:
        reason = why_not_here(recipe, cache)
        if reason is not None and not is_built(recipe):
            missing[recipe.name] = reason.message
    return Availability(lacking=missing)
