"""What this machine has that backends need."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from bskernel.backends.choosing import Surroundings
from bskernel.backends.data import Backend
from bskernel.images import Recipe, why_not_here

# Where a tool says that it is: a variable that names its folder, and the program that must lie in it.
_TOOLS = {"vivado": ("XILINX_VIVADO", "bin/vivado")}


def tools_in(environment: Mapping[str, str]) -> frozenset[str]:
    """Tools whose variable names a folder that really has them."""
    found = set()
    for tool, (variable, program) in _TOOLS.items():
        folder = environment.get(variable)
        if folder and (Path(folder) / program).is_file():
            found.add(tool)
    return frozenset(found)


def surroundings(
    recipes: Sequence[Recipe], backends: Iterable[Backend], cache: Path, is_built: Callable[[Recipe], bool]
) -> Surroundings:
    """This machine's tools; versions of backends without a recipe, and recipes that cannot be made or found made."""
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
    return Surroundings(tools=tools_in(os.environ), lacking=lacking)
