"""An image that was made elsewhere is taken only if it is, but for its layers' bytes, the one of the recipe here."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from bskernel.core.errors import EnvironmentLacking
from bskernel.images import Recipe, find_recipes
from bskernel.images.archive_file import StoredImage
from bskernel.images.layer import ImageLayer
from bskernel.images.recipe_image import BaseLayers, image_configs
from bskernel.images.stored_image_check import check_inspected, images_of

DIGESTS = ("a" * 64, "b" * 64, "c" * 64)


@pytest.fixture
def recipe(root: Path) -> Recipe:
    return find_recipes(root)[0]


def config_of(recipe: Recipe) -> dict[str, Any]:
    base, environment, code = DIGESTS
    made: dict[str, Any] = msgspec.json.decode(
        image_configs(recipe, BaseLayers(digests=(base,)), environment, code)[-1].data
    )
    return made


def stored(config: dict[str, Any], digests: tuple[str, ...] = DIGESTS) -> StoredImage:
    layers = tuple(ImageLayer(digest=digest, size=0, path=Path("none")) for digest in digests)
    data = msgspec.json.encode(config, order="deterministic")
    return StoredImage(data=data, labels=config["config"]["Labels"], layers=layers)


def inspected(config: dict[str, Any]) -> dict[str, Any]:
    """The same as an engine shows it: variables in any order, and null for what is not set."""
    shown = {"Entrypoint": None, "Cmd": None, "User": "", "Volumes": None, "WorkingDir": ""} | config["config"]
    shown["Env"] = list(reversed(shown["Env"]))
    return {"Config": shown, "RootFS": {"Layers": [f"sha256:{digest}" for digest in DIGESTS]}}


def test_the_image_of_the_recipe_is_taken_with_those_below_it(recipe: Recipe) -> None:
    images = images_of(recipe, stored(config_of(recipe)), "here")
    assert [image.layers for image in images] == [DIGESTS[:1], DIGESTS[:2], DIGESTS]
    assert check_inspected(recipe, inspected(config_of(recipe)), "here") == images


CHANGES: dict[str, dict[str, Any]] = {
    "a variable": {"Env": ["LD_PRELOAD=/opt/bskernel/env/lib/x.so"]},
    "an entry point": {"Entrypoint": ["/bin/other"]},
    "a command": {"Cmd": ["other"]},
    "a user": {"User": "7"},
    "a working folder": {"WorkingDir": "/opt"},
    "a volume": {"Volumes": {"/data": {}}},
}


@pytest.mark.parametrize("kind", CHANGES)
def test_an_image_with_the_recipe_s_labels_and_other_settings_is_refused(recipe: Recipe, kind: str) -> None:
    config = config_of(recipe)
    changes = CHANGES[kind]
    added = changes.get("Env", [])
    config["config"] |= changes | {"Env": [*config["config"]["Env"], *added]}
    with pytest.raises(EnvironmentLacking, match="here: the settings of testing@1 are not those of its recipe"):
        images_of(recipe, stored(config), "here")
    with pytest.raises(EnvironmentLacking, match="here: the settings of testing@1 are not those of its recipe"):
        check_inspected(recipe, inspected(config), "here")


@pytest.mark.parametrize(
    ("label", "value", "text"),
    [
        ("bskernel.recipe", "d" * 64, "of a recipe with the digest dddddddddddd, not"),
        ("bskernel.recipe", None, "names no recipe"),
        ("bskernel.layout", "1", "another version of bskernel"),
    ],
)
def test_an_image_of_another_recipe_is_refused(recipe: Recipe, label: str, value: str | None, text: str) -> None:
    config = config_of(recipe)
    config["config"]["Labels"].pop(label)
    if value is not None:
        config["config"]["Labels"][label] = value
    with pytest.raises(EnvironmentLacking, match=text):
        images_of(recipe, stored(config), "here")
    with pytest.raises(EnvironmentLacking, match=text):
        check_inspected(recipe, inspected(config), "here")


def test_an_image_with_more_layers_is_refused(recipe: Recipe) -> None:
    with pytest.raises(EnvironmentLacking, match="has 4 layers, not 3"):
        images_of(recipe, stored(config_of(recipe), (*DIGESTS, "e" * 64)), "here")
