"""Pushes images to a registry and pulls them, by the engine. A recipe's digest is the tag.

The engine speaks the protocol, so its proxies, certificates and insecure registries count; credentials are those of
`docker login`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.hints import choices
from bskernel.images.container_image import (
    ArchiveRefused,
    BuiltImage,
    ImageContent,
    find_image,
    load,
    remove_replaced,
)
from bskernel.images.recipe import Recipe
from bskernel.images.recipe_image import image_name
from bskernel.images.registry_tags import registry_of, tags_in
from bskernel.images.stored_image_check import check_inspected

if TYPE_CHECKING:
    import docker

_REPOSITORY = re.compile(r"[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)+")
_DENIED = re.compile(r"denied|unauthorized|authentication required|no basic auth|\b40[13]\b", re.IGNORECASE)
_UNKNOWN = re.compile(r"manifest unknown|not found|name unknown|\b404\b", re.IGNORECASE)


def check_repository(repository: str) -> None:
    """Raise ConfigError unless this is REGISTRY/REPO without a tag."""
    if not _REPOSITORY.fullmatch(repository):
        raise ConfigError(
            f"{repository!r} is not REGISTRY/REPO",
            hint="write e.g. registry.example:5000/team/bskernel, in lower case and without a tag",
        )


def push_image(client: docker.APIClient, recipe: Recipe, image: BuiltImage, repository: str) -> str:
    """Push the recipe's image to the repository; returns the digest that the registry knows it by, or "".

    Raises EnvironmentLacking.
    """
    client.tag(image.id, repository, recipe.digest)
    try:
        digest = ""
        for line in _follow(client.push, recipe, repository):
            digest = (line.get("aux") or {}).get("Digest", digest)
        return digest
    finally:
        _untag(client, f"{repository}:{recipe.digest}")


def pull_image(client: docker.APIClient, recipe: Recipe, repository: str) -> BuiltImage:
    """Pull the recipe's image, compare it with the recipe and give it its name. Raises EnvironmentLacking."""
    name, reference = image_name(recipe), f"{repository}:{recipe.digest}"
    before = {name: find_image(client, name, {})[1]}
    for _ in _follow(client.pull, recipe, repository):
        pass
    inspected: dict[str, Any] = client.inspect_image(reference)  # type: ignore[no-untyped-call]
    try:
        expected = check_inspected(recipe, inspected, reference)
        client.tag(inspected["Id"], name)
    finally:
        _untag(client, reference)
    remove_replaced(client, before)
    if expected:
        # The engine has all of their layers. One that wants them again makes the images when it needs them.
        with contextlib.suppress(ArchiveRefused):
            load(client, ImageContent(images=expected[:-1], layers={}))
    return BuiltImage(id=inspected["Id"], name=name)


def _untag(client: docker.APIClient, reference: str) -> None:
    import docker

    with contextlib.suppress(docker.errors.APIError):
        client.remove_image(reference, noprune=True)


def _follow(move: Callable[..., Any], recipe: Recipe, repository: str) -> Iterator[dict[str, Any]]:
    """Push or pull the recipe's tag; yields what the engine says. Raises EnvironmentLacking with the reason."""
    import docker

    try:
        for line in move(repository, recipe.digest, stream=True, decode=True):
            if "error" in line:
                raise _failure(str(line["error"]), recipe, repository)
            yield line
    except docker.errors.APIError as error:
        raise _failure(str(error.explanation), recipe, repository) from error


def _failure(said: str, recipe: Recipe, repository: str) -> EnvironmentLacking:
    registry = registry_of(repository)
    if _DENIED.search(said):
        hint = f"log in: docker login {registry}"
        return EnvironmentLacking(f"{registry} denies access to {repository}: {said}", hint=hint)
    if _UNKNOWN.search(said):
        tags = tags_in(repository)
        hint = "push it from where it is made: bskernel images push"
        if tags is not None:
            hint = f"{hint}; {choices(recipe.digest, sorted(tags), 'recipes there')}"
        return EnvironmentLacking(f"{repository} has no image of {recipe.name}, tag {recipe.digest}", hint=hint)
    return EnvironmentLacking(
        f"{registry} cannot be used: {said}", hint="the engine must reach it; if it has no certificate, the engine "
        "must know it as insecure",
    )  # fmt: skip
