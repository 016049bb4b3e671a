"""Compares an image in the engine with what its recipe makes here, layer by layer: labels say only what was meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bskernel.core.errors import EnvironmentLacking
from bskernel.images.container_image import complete_content
from bskernel.images.recipe import Recipe
from bskernel.images.recipe_image import image_name
from bskernel.images.recipe_layers import recipe_layers
from bskernel.images.stored_image_check import check_inspected

if TYPE_CHECKING:
    import docker

LAYERS, SETTINGS = "layers", "settings"


def differing_parts(
    recipe: Recipe, client: docker.APIClient, cache: Path, report: Callable[[str], None]
) -> tuple[str, ...]:
    """The parts of the recipe's image that have other bytes than those made here: base, environment, code, settings.

    `layers` stands alone for an image that has more or fewer of them. The image must be there. Raises
    EnvironmentLacking, ConfigError where the layers cannot be made.
    """
    inspected: dict[str, Any] = client.inspect_image(image_name(recipe))  # type: ignore[no-untyped-call]
    found = [digest.removeprefix("sha256:") for digest in inspected["RootFS"]["Layers"]]
    with recipe_layers(cache, report) as layers:
        expected = complete_content(recipe, client, layers, report).images[-1].layers
    if len(found) != len(expected):
        return (LAYERS,)
    names = [*["base"] * (len(expected) - 2), "environment", "code"]
    other = [name for name, mine, its in zip(names, expected, found, strict=True) if mine != its]
    try:
        check_inspected(recipe, inspected, image_name(recipe))
    except EnvironmentLacking:
        other.append(SETTINGS)
    return tuple(dict.fromkeys(other))
