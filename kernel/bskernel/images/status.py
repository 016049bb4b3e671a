"""Are the catalogue, the environment and the image what the recipe says?"""

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
    """What there is of a recipe on this machine."""

    name: str
    digest: str
    summary: str
    environment: str  # made, not made
    image: str  # built, stale, not built, no engine
    catalogue: str = "not checked"  # current, differs, or why it cannot be asked for

    @property
    def sound(self) -> bool:
        """Is nothing there that belongs to another recipe?"""
        return self.image != "stale" and self.catalogue in {"current", "not checked"}


def state_on(recipe: Recipe, cache: Path, client: docker.APIClient | None) -> RecipeState:
    """What is made of the recipe; nothing is made for it."""
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
    )


def check(recipe: Recipe, cache: Path, client: docker.APIClient | None, report: Callable[[str], None]) -> RecipeState:
    """Also asks the executor whether catalogue.json is what it says of itself; makes its environment for that."""
    lacking = why_not_here(recipe, cache)
    if lacking is not None:
        told = f"cannot be asked for: {lacking.message} ({lacking.hint})"
        return msgspec.structs.replace(state_on(recipe, cache, client), catalogue=told)
    text = describe(recipe, cache, report)
    path = recipe.folder / "catalogue.json"
    same = path.is_file() and path.read_text(encoding="utf-8") == text
    return msgspec.structs.replace(state_on(recipe, cache, client), catalogue="current" if same else "differs")
