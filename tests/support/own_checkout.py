"""A checkout with the testing executor in a version of its own: its image has a name that no other test gives."""

import shutil
from pathlib import Path


def make_own_checkout(root: Path, folder: Path, version: str) -> Path:
    """Copy a checkout that knows the testing executor alone, and return the folder of the recipe, now of `version`.

    Tests in other processes build images at the same time, and an image's name says executor and version alone.
    """
    shutil.copytree(root, folder, symlinks=True)
    recipe = folder / "images" / "testing" / version
    (recipe.parent / "1").rename(recipe)
    image, catalogue = recipe / "image.toml", recipe / "catalogue.json"
    image.write_text(image.read_text().replace('version = "1"', f'version = "{version}"'))
    catalogue.write_text(catalogue.read_text().replace('"1"', f'"{version}"', 1))
    return recipe
