"""What this machine has that backends need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bskernel.images import Recipe, why_not_here
from bskernel.plan.backend_choice import Availability
from bskernel.plan.backend_data import Backend


def find_availability(
    recipes: Sequence[Recipe], backends: Iterable[Backend], cache: Path, is_built: Callable[[Recipe], bool]
) -> Availability:
    """Versions of backends without a recipe, and recipes that cannot be made or found made."""
    known = {recipe.name for recipe in recipes}
    wanted = [(name, version) for backend in backends for name, version in backend.file.executors.items()]
    lacking = {
        f"{name}@{version}": f"there is no recipe images/{name}/{version}"
        for name, version in wanted
        if f"{name}@{version}" not in known
    }
    for recipe in recipes:
        reason = why_not_here(recipe, cache)
        if reason is not None and not is_built(recipe):
            lacking[recipe.name] = reason.message
    return Availability(lacking=lacking)
