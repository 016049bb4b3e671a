"""Writes the generated files of a recipe: its lock and its catalogue."""

from __future__ import annotations

import sysconfig
import tempfile
from pathlib import Path

from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.host.temporary import mark
from bskernel.images import Recipe
from bskernel.images.environment import run_uv
from bskernel.images.recipe import PLATFORM


def write_catalogue(recipe: Recipe, text: str) -> Path:
    """Write catalogue.json of a recipe; returns its path. Raises ConfigError, EnvironmentLacking."""
    return _replace(recipe, "catalogue.json", text)


def lock_packages(recipe: Recipe, *, upgrade: bool) -> Path:
    """Write requirements.lock from requirements.in, for the recipe's Python and platform; returns its path.

    What is locked stays as far as it can, unless `upgrade` is set. Raises ConfigError, EnvironmentLacking.
    """
    wanted = recipe.folder / "requirements.in"
    if not wanted.is_file():
        raise ConfigError(f"{wanted}: no such file", hint="write the packages that the executor imports, one a line")
    _check_own(recipe)
    with tempfile.TemporaryDirectory(prefix="lock-") as scratch:
        target = Path(scratch, "requirements.lock")
        if recipe.lock.is_file():
            target.write_bytes(recipe.lock.read_bytes())  # uv keeps the versions in it
        options = ["--upgrade"] if upgrade else []
        if (recipe.folder / "overrides.txt").is_file():
            options += ["--override", "overrides.txt"]
        # In the recipe's folder, because the lock names its source as it was given.
        run_uv(
            "pip",
            "compile",
            "--quiet",
            "--no-config",
            "--no-header",
            "--generate-hashes",
            "--python-version",
            recipe.file.python,
            "--python-platform",
            PLATFORM,
            *options,
            "requirements.in",
            "--output-file",
            str(target),
            folder=recipe.folder,
        )
        return _replace(recipe, recipe.lock.name, target.read_text(encoding="utf-8"))


def _replace(recipe: Recipe, name: str, text: str) -> Path:
    """Write a file whole or not at all."""
    _check_own(recipe)
    path = recipe.folder / name
    temporary = recipe.folder / f"{name}{mark()}"
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise EnvironmentLacking(f"{path}: cannot be written: {error.strerror}") from error
    return path


def _check_own(recipe: Recipe) -> None:
    """Raise ConfigError for a recipe in an installed package, where the next install overwrites it."""
    if recipe.folder.is_relative_to(sysconfig.get_path("purelib")):
        raise ConfigError(
            f"{recipe.folder} belongs to an installed package",
            hint="name the folder of its source in BSKERNEL_RECIPES",
        )
