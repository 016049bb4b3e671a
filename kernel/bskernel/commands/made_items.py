"""Finds and removes what executors run in: environments of the cache, and images of the engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from bskernel.core.errors import BskernelError, EnvironmentLacking
from bskernel.images import Recipe, recipes_here
from bskernel.images.usage import (
    MadeItem,
    find_environments,
    find_images,
    remove_environment,
    remove_image,
    select_unused,
)

if TYPE_CHECKING:
    import docker

T = TypeVar("T")
Note = Callable[[str], None]


def find_made(cache: Path, note: Note) -> tuple[MadeItem, ...]:
    """The environments of the cache, and the images that it used if an engine answers."""
    recipes = _find_recipes()
    images = _ask_engine(lambda client: find_images(cache, recipes, client), note) or []
    return (*find_environments(cache, recipes), *images)


def collect_made(
    cache: Path, older_than_s: float | None, max_bytes: int | None, note: Note, *, dry_run: bool
) -> tuple[MadeItem, ...]:
    """Remove what was not used for a time, or is beyond a size of each kind; returns it.

    The caller holds the lock of the cache.
    """
    made = find_made(cache, note)
    chosen: list[MadeItem] = []
    for kind in ("environment", "image"):
        of_kind = [item for item in made if item.kind == kind]
        chosen += select_unused(of_kind, now=time.time(), older_than_s=older_than_s, max_bytes=max_bytes)
    return tuple(item for item in chosen if dry_run or _remove(cache, item, note))


def _remove(cache: Path, item: MadeItem, note: Note) -> bool:
    if item.kind == "environment":
        return remove_environment(cache, item, note)
    return bool(_ask_engine(lambda client: remove_image(cache, item, client), note))


def _ask_engine(function: Callable[[docker.APIClient], T], note: Note) -> T | None:
    """None when no engine answers; with a note when one fails."""
    from bskernel.images.engine import connect

    try:
        client = connect()
    except EnvironmentLacking:
        return None
    import docker

    try:
        return function(client)
    except docker.errors.DockerException as error:
        note(f"warning: the engine's images are left out: {error}")
        return None
    finally:
        client.close()


def _find_recipes() -> tuple[Recipe, ...]:
    """The recipes of this installation; none without, as a cache can be cleaned without them."""
    try:
        return recipes_here()
    except BskernelError:
        return ()
