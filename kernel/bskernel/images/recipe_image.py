"""The images of a recipe as values: names, labels, variables.

There are three, because they change at different rates and recipes share them: bskernel/base holds Debian's packages,
bskernel/environment adds the locked packages, bskernel/EXECUTOR:VERSION the executor's few source files.
"""

from __future__ import annotations

from typing import Any

import msgspec

from bskernel.images.bytecode import CODE, ENVIRONMENT
from bskernel.images.oci_archive import ImageConfig, make_config
from bskernel.images.recipe import Recipe, environment_variables

BASE_LABEL = "bskernel.base"
ENVIRONMENT_LABEL = "bskernel.environment"
EXECUTOR_LABEL = "bskernel.executor"
LAYOUT_LABEL = "bskernel.layout"
RECIPE_LABEL = "bskernel.recipe"
VERSION_LABEL = "bskernel.version"
LAYOUT = "4"  # incremented when the same recipe yields other layers, or an image that is made of them otherwise
PYTHON = f"{ENVIRONMENT}/bin/python"
PATH = f"{ENVIRONMENT}/bin:/usr/bin:/bin"


class BaseLayers(msgspec.Struct, frozen=True, kw_only=True):
    """The layers of a base by digest, lowest first, and the settings that images on it inherit."""

    digests: tuple[str, ...]
    settings: dict[str, Any] = {}


def image_name(recipe: Recipe) -> str:
    """The tag for people; containers are started by identifier."""
    return f"bskernel/{recipe.file.executor}:{recipe.file.version}"


def environment_name(recipe: Recipe) -> str:
    """The tag of the image of the recipe's environment."""
    return f"bskernel/environment:{recipe.environment_digest[:16]}-{recipe.base.digest[:16]}-{LAYOUT}"


def environment_label(recipe: Recipe) -> str:
    """Everything that the image of the environment is made from."""
    return f"{recipe.environment_digest} {recipe.base.digest} {recipe.file.interpreter} {LAYOUT}"


def image_configs(recipe: Recipe, base: BaseLayers, environment: str, code: str) -> tuple[ImageConfig, ...]:
    """The images of base (unless a registry holds it), environment and executor, with these layers, by digest."""
    below = [(digest, f"base {recipe.file.base}") for digest in base.digests]
    packages = [*below, (environment, f"environment {recipe.environment_digest[:16]}")]
    variables = environment_variables(recipe) | {"PYTHONPATH": CODE, "PATH": PATH}
    below_labels = {BASE_LABEL: recipe.base.digest, ENVIRONMENT_LABEL: environment_label(recipe)}
    labels = below_labels | {
        RECIPE_LABEL: recipe.digest,
        EXECUTOR_LABEL: recipe.file.executor,
        VERSION_LABEL: recipe.file.version,
        LAYOUT_LABEL: LAYOUT,
    }
    made = [
        make_config(
            environment_name(recipe),
            packages,
            labels=below_labels,
            variables={},
            base=base.settings,
            listed=False,
        ),
        make_config(
            image_name(recipe),
            [*packages, (code, f"code of {recipe.name}")],
            labels=labels,
            variables=variables,
            base=base.settings,
        ),
    ]
    if recipe.base.packages:
        label = {BASE_LABEL: recipe.base.digest}
        made.insert(0, make_config(recipe.base.reference, below, labels=label, variables={}, base={}, listed=False))
    return tuple(made)
