"""Compares the catalogue, the environment and the image of a recipe with the recipe: by labels, or byte for byte."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bskernel.images.description import describe
from bskernel.images.environment import is_made, why_not_here
from bskernel.images.recipe import Recipe

if TYPE_CHECKING:
    import docker


class RecipeState(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a recipe's catalogue, environment and image on this machine."""

    name: str
    digest: str
    summary: str
    environment: str  # made, not made
    image: str  # built, stale, not built, no engine; after a check also what of it has other bytes
    folder: str  # the recipe's
    origin: str  # who named the folder: a variable, a file's key, an installed package; "" for bskernel's own
    hides: tuple[str, ...] = ()  # folders, later in the search path, of other recipes of this name
    catalogue: str = "not checked"  # current, differs, or why it cannot be checked

    @property
    def sound(self) -> bool:
        """True when nothing is outdated."""
        return self.image in {"built", "not built", "no engine"} and self.catalogue in {"current", "not checked"}


def state_on(recipe: Recipe, cache: Path, client: docker.APIClient | None) -> RecipeState:
    """The recipe's state. Builds nothing and does not check the catalogue."""
    image = "no engine"
    if client is not None:
        from bskernel.images.container_image import state_of

        image = state_of(recipe, client)
    return RecipeState(
        name=recipe.name,
        digest=recipe.digest,
        summary=recipe.file.summary,
        environment="made" if is_made(recipe, cache) else "not made",
        image=image,
        folder=str(recipe.folder),
        origin=recipe.origin,
        hides=tuple(str(other.folder) for other in recipe.hidden if other.digest != recipe.digest),
    )


def check(recipe: Recipe, cache: Path, client: docker.APIClient | None, report: Callable[[str], None]) -> RecipeState:
    """The recipe's state, with catalogue.json compared to the executor's own, and the image with what is made here.

    Makes its environment for that.
    """
    problem = why_not_here(recipe, cache)
    if problem is not None:
        reason = f"cannot be checked: {problem.message} ({problem.hint})"
        return msgspec.structs.replace(state_on(recipe, cache, client), catalogue=reason)
    text = describe(recipe, cache, report)
    path = recipe.folder / "catalogue.json"
    same = path.is_file() and path.read_text(encoding="utf-8") == text
    state = msgspec.structs.replace(state_on(recipe, cache, client), catalogue="current" if same else "differs")
    if client is None or state.image != "built":
        return state
    from bskernel.images.engine_image_check import differing_parts

    report(f"comparing the image of {recipe.name}")
    other = differing_parts(recipe, client, cache, report)
    return msgspec.structs.replace(state, image=f"differs in {', '.join(other)}" if other else "built")
