"""The images of an executor in an engine: made from its recipe as an archive, which the engine loads.

The engine gets only the layers that it lacks, where it allows that. Labels name the recipe of each image.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from bskernel.core.errors import EnvironmentLacking
from bskernel.images.atomic_dir import lock_file
from bskernel.images.base_image import copy_base, layers_in_engine, pull_base, write_base
from bskernel.images.layer import ImageLayer
from bskernel.images.oci_archive import ImageConfig, archive_chunks
from bskernel.images.recipe import Recipe
from bskernel.images.recipe_image import (
    ENVIRONMENT_LABEL,
    LAYOUT,
    LAYOUT_LABEL,
    RECIPE_LABEL,
    BaseLayers,
    environment_label,
    environment_name,
    image_configs,
    image_name,
)
from bskernel.images.recipe_layers import RecipeLayers, recipe_layers

if TYPE_CHECKING:
    import docker

ImageState = Literal["built", "stale", "not built"]


class BuiltImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that matches its recipe, with the engine's identifier."""

    id: str
    name: str


class ImageContent(msgspec.Struct, frozen=True, kw_only=True):
    """Images and those of their layers whose bytes are at hand, by digest."""

    images: tuple[ImageConfig, ...]
    layers: dict[str, ImageLayer]


class ArchiveRefused(EnvironmentLacking):
    """The engine did not take an archive, or not as it is."""


def find_image(client: docker.APIClient, name: str, labels: Mapping[str, str]) -> tuple[ImageState, str]:
    """The state of the image of that name compared with the labels it should have, and its identifier or ""."""
    import docker

    try:
        image = client.inspect_image(name)
    except docker.errors.ImageNotFound:
        return "not built", ""
    has = image["Config"].get("Labels") or {}
    return ("built" if labels.items() <= has.items() else "stale"), image["Id"]


def find_executor(client: docker.APIClient, recipe: Recipe) -> tuple[ImageState, str]:
    """The state of the recipe's image, and its identifier or ""."""
    return find_image(client, image_name(recipe), {RECIPE_LABEL: recipe.digest, LAYOUT_LABEL: LAYOUT})


def state_of(recipe: Recipe, client: docker.APIClient) -> ImageState:
    """Whether the recipe's image is built and matches the recipe."""
    return find_executor(client, recipe)[0]


def ensure_image(recipe: Recipe, client: docker.APIClient, cache: Path, report: Callable[[str], None]) -> BuiltImage:
    """The image of this recipe, built if missing or stale. Raises EnvironmentLacking, ConfigError."""
    name = image_name(recipe)
    state, identifier = find_executor(client, recipe)
    if state == "built":
        return BuiltImage(id=identifier, name=name)
    cache.mkdir(parents=True, exist_ok=True)
    with lock_file(cache / "images.lock", report):
        state, identifier = find_executor(client, recipe)
        if state == "built":
            return BuiltImage(id=identifier, name=name)
        why = ": the existing image is from another recipe" if state == "stale" else ""
        with recipe_layers(cache, report, functools.partial(copy_base, client)) as layers:
            content = _missing_content(recipe, client, layers, report)
            report(f"building {name}{why}")
            try:
                load(client, content)
            except ArchiveRefused:
                complete = complete_content(recipe, client, layers, report)
                if complete.layers.keys() == content.layers.keys():
                    raise
                load(client, complete)
    return BuiltImage(id=find_executor(client, recipe)[1], name=name)


def complete_content(
    recipe: Recipe, client: docker.APIClient | None, layers: RecipeLayers, report: Callable[[str], None]
) -> ImageContent:
    """The recipe's images with all of their layers. Raises EnvironmentLacking, ConfigError."""
    base, written = write_base(recipe.base, layers, client, report)
    environment, code = layers.environment(recipe), layers.code(recipe)
    written = [*written, environment, code]
    return ImageContent(
        images=image_configs(recipe, base, environment.digest, code.digest),
        layers={layer.digest: layer for layer in written},
    )


def _missing_content(
    recipe: Recipe, client: docker.APIClient, layers: RecipeLayers, report: Callable[[str], None]
) -> ImageContent:
    """The recipe's images with the layers that the engine lacks."""
    written: list[ImageLayer] = []
    if recipe.base.packages:
        base = layers_in_engine(recipe.base, client)
        if base is None:
            base, written = write_base(recipe.base, layers, client, report)
    else:
        base = pull_base(recipe.base, client, report)
    environment = _environment_in_engine(recipe, base, client)
    if environment is None:
        written.append(layers.environment(recipe))
        environment = written[-1].digest
    written.append(layers.code(recipe))
    return ImageContent(
        images=image_configs(recipe, base, environment, written[-1].digest),
        layers={layer.digest: layer for layer in written},
    )


def _environment_in_engine(recipe: Recipe, base: BaseLayers, client: docker.APIClient) -> str | None:
    """The digest of the environment's layer if the engine has it on this base."""
    name = environment_name(recipe)
    if find_image(client, name, {ENVIRONMENT_LABEL: environment_label(recipe)})[0] != "built":
        return None
    *below, own = [digest.removeprefix("sha256:") for digest in client.inspect_image(name)["RootFS"]["Layers"]]
    return own if tuple(below) == base.digests else None


def load(client: docker.APIClient, content: ImageContent) -> None:
    """Load images into the engine, and remove those that had their names. Raises ArchiveRefused."""
    import docker

    before = {image.name: find_image(client, image.name, {})[1] for image in content.images}
    names = ", ".join(image.name for image in content.images)
    try:
        for line in client.load_image(archive_chunks(content.images, content.layers, for_engine=True)):
            if "error" in line:
                raise ArchiveRefused(f"the engine cannot load {names}: {line['error']}")
        for image in content.images:
            loaded = client.inspect_image(image.name)
            if loaded["RootFS"]["Layers"] != [f"sha256:{digest}" for digest in image.layers]:
                raise ArchiveRefused(f"the engine cannot load {image.name}: it has other layers afterwards")
    except docker.errors.APIError as error:
        raise ArchiveRefused(f"the engine cannot load {names}: {error.explanation}") from error
    except (docker.errors.DockerException, OSError) as error:
        raise EnvironmentLacking(f"the engine cannot load {names}: {error}") from error
    remove_replaced(client, before)


def remove_replaced(client: docker.APIClient, before: Mapping[str, str]) -> None:
    """Remove images by identifier that had names which other images have now; the last name's image first."""
    import docker

    for name, old in reversed(list(before.items())):
        if old and find_image(client, name, {})[1] != old:
            # The engine refuses while another build's session uses it.
            with contextlib.suppress(docker.errors.APIError):
                client.remove_image(old)
