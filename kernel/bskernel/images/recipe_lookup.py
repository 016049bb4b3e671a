"""Look up a recipe: by the name that a user gives, or as the executor of a plan or a finished build."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.hints import choices
from bskernel.core.step import ExecutorRef
from bskernel.images.recipe import Recipe


def select_recipes(recipes: Sequence[Recipe], names: Iterable[str]) -> tuple[Recipe, ...]:
    """Select every version of NAME, or the one of NAME@VERSION, for each name; all recipes if there are no names.

    Raises ConfigError for an unknown name or version, with the choices.
    """
    wanted = {recipe.name for name in names for recipe in _called(recipes, name)}
    return tuple(recipe for recipe in recipes if not wanted or recipe.name in wanted)


def select_recipe(recipes: Sequence[Recipe], name: str) -> Recipe:
    """Select the recipe of NAME@VERSION; NAME alone means its default version, or else its first.

    Raises ConfigError for an unknown name or version, with the choices.
    """
    found = _called(recipes, name)
    return next((recipe for recipe in found if recipe.file.default), found[0])


def require_recipe(recipes: Iterable[Recipe], executor: ExecutorRef, *, where: str, hint: str) -> Recipe:
    """Return the recipe with this executor's name, version and digest.

    `where` says who needs the executor, `hint` what to do. Raises EnvironmentLacking if there is no such recipe, or
    if its digest is another one.
    """
    for recipe in recipes:
        if recipe.name == str(executor):
            if recipe.digest == executor.digest:
                return recipe
            digests = f"its digest is {recipe.digest[:12]}, not {executor.digest[:12]}"
            raise EnvironmentLacking(f"{where}: {recipe.folder} has changed: {digests}", hint=hint)
    raise EnvironmentLacking(f"{where}: unknown executor {executor}", hint=hint)


def _called(recipes: Iterable[Recipe], name: str) -> list[Recipe]:
    executor, _, version = name.partition("@")
    versions = [recipe for recipe in recipes if recipe.file.executor == executor]
    if not versions:
        known = sorted({recipe.file.executor for recipe in recipes})
        raise ConfigError(f"unknown executor {executor!r}", hint=choices(executor, known, "executors"))
    found = [recipe for recipe in versions if version in {"", recipe.file.version}]
    if not found:
        known = [recipe.file.version for recipe in versions]
        raise ConfigError(f"{executor} has no version {version!r}", hint=choices(version, known, "versions"))
    return found
