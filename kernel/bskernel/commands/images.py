"""What is made of the recipes on this machine, and making it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bskernel.images import RecipeState, check, select_recipes, state_on
from bskernel.workspace.workspace import Workspace


def image_states(workspace: Workspace) -> tuple[RecipeState, ...]:
    """What is made of each recipe here."""
    client = workspace.engine()
    return tuple(state_on(recipe, workspace.cache, client) for recipe in workspace.recipes)


def check_images(
    workspace: Workspace, names: Sequence[str], report: Callable[[str], None]
) -> tuple[RecipeState, ...]:
    """What is made of each recipe here, and whether its catalogue is what the executor says."""
    client = workspace.engine()
    return tuple(
        check(recipe, workspace.cache, client, report) for recipe in select_recipes(workspace.recipes, names)
    )


def make_images(
    workspace: Workspace, names: Sequence[str], *, runtime: str, report: Callable[[str], None]
) -> Iterator[str]:
    """Have what the named executors, or all, run in; yields each name when it is made."""
    chosen = select_recipes(workspace.recipes, names)
    starter = workspace.starter(runtime, report)
    for recipe in chosen:
        starter.prepare(recipe.ref)
        yield recipe.name
