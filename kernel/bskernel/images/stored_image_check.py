"""Compares images that were made elsewhere with recipes: what a recipe says of its image must be so, byte for byte.

An image's identifier is the digest of its configuration, which holds the digests of its layers. The recipe says all
of the configuration but these digests.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from bskernel.core.errors import EnvironmentLacking
from bskernel.images.archive_file import StoredImage
from bskernel.images.oci_archive import ImageConfig
from bskernel.images.recipe import Recipe
from bskernel.images.recipe_image import LAYOUT, LAYOUT_LABEL, RECIPE_LABEL, BaseLayers, image_configs, image_name

_HINT = "make or export it with this version of bskernel and its recipes"


def check_labels(recipe: Recipe, labels: dict[str, str], where: str) -> None:
    """Raise EnvironmentLacking unless the labels name this recipe."""
    found = labels.get(RECIPE_LABEL)
    if found != recipe.digest:
        said = f"is of a recipe with the digest {str(found)[:12]}" if found else "names no recipe"
        raise EnvironmentLacking(f"{where}: {recipe.name} {said}, not {recipe.digest[:12]}", hint=_HINT)
    if labels.get(LAYOUT_LABEL) != LAYOUT:
        raise EnvironmentLacking(f"{where}: {recipe.name} is made by another version of bskernel", hint=_HINT)


def expected_images(recipe: Recipe, layers: Sequence[str], where: str) -> tuple[ImageConfig, ...]:
    """The images of the recipe on these layers, by digest; none if a registry's image is below.

    Raises EnvironmentLacking for a wrong number of layers.
    """
    if not recipe.base.packages:
        return ()
    if len(layers) != 3:
        raise EnvironmentLacking(f"{where}: {recipe.name} has {len(layers)} layers, not 3", hint=_HINT)
    base, environment, code = layers
    return image_configs(recipe, BaseLayers(digests=(base,)), environment, code)


def images_of(recipe: Recipe, stored: StoredImage, where: str) -> tuple[ImageConfig, ...]:
    """The images to load for an image of an archive. Raises EnvironmentLacking if it is not the recipe's."""
    check_labels(recipe, stored.labels, where)
    layers = tuple(layer.digest for layer in stored.layers)
    expected = expected_images(recipe, layers, where)
    if not expected:
        return (ImageConfig(name=image_name(recipe), data=stored.data, layers=layers),)
    if expected[-1].data != stored.data:
        raise _other_settings(recipe, where)
    return expected


def check_inspected(recipe: Recipe, inspected: dict[str, Any], where: str) -> tuple[ImageConfig, ...]:
    """Compare an image in the engine; returns the images of the recipe. Raises EnvironmentLacking."""
    settings = inspected["Config"]
    check_labels(recipe, settings.get("Labels") or {}, where)
    layers = [digest.removeprefix("sha256:") for digest in inspected["RootFS"]["Layers"]]
    expected = expected_images(recipe, layers, where)
    if expected:
        wanted = msgspec.json.decode(expected[-1].data)["config"]
        parts = ("Env", "Labels", "Entrypoint", "Cmd", "User", "Volumes", "WorkingDir")
        if any(_plain(settings.get(part)) != _plain(wanted.get(part)) for part in parts):
            raise _other_settings(recipe, where)
    return expected


def _other_settings(recipe: Recipe, where: str) -> EnvironmentLacking:
    return EnvironmentLacking(f"{where}: the settings of {recipe.name} are not those of its recipe", hint=_HINT)


def _plain(value: Any) -> object:
    """A setting for a comparison: engines say "none" differently, and order variables as they like."""
    return (sorted(value) if isinstance(value, Iterable) and not isinstance(value, str | dict) else value) or None
