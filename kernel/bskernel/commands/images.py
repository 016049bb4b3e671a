"""What is made of the recipes on this machine, and making it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bskernel.images import RecipeState, check, choose_recipes, state_on
from bskernel.workspace.workspace import Application


def image_states(application: Application) -> tuple[RecipeState, ...]:
    """What is made of each recipe here."""
    client = application.engine()
    return tuple(state_on(recipe, application.cache, client) for recipe in application.recipes)


def check_images(
    application: Application, names: Sequence[str], report: Callable[[str], None]
) -> tuple[RecipeState, ...]:
    """What is made of each recipe here, and whether its catalogue is what the executor says."""
    client = application.engine()
    return tuple(
        check(recipe, application.cache, client, report) for recipe in choose_recipes(application.recipes, names)
    )


def make_images(
    application: Application, names: Sequence[str], *, runtime: str, report: Callable[[str], None]
) -> Iterator[str]:
    """Have what the named executors, or all, run in; yields each name when it is made."""
    chosen = choose_recipes(application.recipes, names)
    starter = application.starter(runtime, report)
    for recipe in chosen:
        starter.prepare(recipe.ref)
        yield recipe.name
