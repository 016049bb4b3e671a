"""Lists, checks and builds what executors run in: environments and images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from bskernel.images import select_recipes
from bskernel.images.status import RecipeState, check, state_on
from bskernel.workspace.workspace import Workspace


def image_states(workspace: Workspace) -> tuple[RecipeState, ...]:
    """The state of the environment and image of each recipe."""
    client = workspace.engine()
    return tuple(state_on(recipe, workspace.cache, client) for recipe in workspace.recipes)


def check_images(
    workspace: Workspace, names: Sequence[str], report: Callable[[str], None]
) -> tuple[RecipeState, ...]:
    """The same for the named executors, or all; also compares catalogue.json with what the executor describes."""
    client = workspace.engine()
    return tuple(
        check(recipe, workspace.cache, client, report) for recipe in select_recipes(workspace.recipes, names)
    )


def make_images(
    workspace: Workspace, names: Sequence[str], *, runtime: str, report: Callable[[str], None]
) -> Iterator[str]:
    """Build the images (docker) or environments (process) of the named executors, or of all; yields each name."""
    chosen = select_recipes(workspace.recipes, names)
    starter = workspace.starter(runtime, report)
    for recipe in chosen:
        starter.prepare(recipe.ref)
        yield recipe.name
