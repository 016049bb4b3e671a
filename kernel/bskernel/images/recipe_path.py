"""The search path of recipes: folders that somebody names, bskernel's own, and those of installed distributions.

A folder of recipes holds EXECUTOR/VERSION/image.toml. Of two recipes with one name the first in the path is used.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec

from bskernel.config.decoder import convert
from bskernel.config.reader import read_toml
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.images.distributions import declared_folders
from bskernel.images.recipe import ImageFile, Recipe
from bskernel.store.file_digests import FileDigests

VARIABLE = "BSKERNEL_RECIPES"  # folders, separated as in PATH
_RECIPES = "*/*/image.toml"
# Where a named folder may have its recipes: as a checkout or package has them, in itself, or as a project has them.
_PLACES = ("images", ".", "src/*/images", "*/images")


class NamedFolder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder on the search path; `origin` says who named it, e.g. BSKERNEL_RECIPES."""

    path: Path
    origin: str


def locate_root() -> Path:
    """The folder with images/ and docker/: BSKERNEL_ROOT, the checkout of this package, or the installed recipes.

    Raises EnvironmentLacking.
    """
    named = os.environ.get("BSKERNEL_ROOT")
    root = Path(named).resolve() if named else Path(__file__).resolve().parents[3]
    installed = None if named or (root / "images").is_dir() else find_spec("bskernel_recipes")
    if installed and installed.submodule_search_locations:
        root = Path(installed.submodule_search_locations[0])
    if not (root / "images").is_dir():
        raise EnvironmentLacking(
            f"no such folder: {root / 'images'}, which holds the executors' recipes",
            hint="install bskernel-recipes, or set BSKERNEL_ROOT to a checkout of bskernel",
        )
    return root


def named_folders() -> tuple[NamedFolder, ...]:
    """The folders of BSKERNEL_RECIPES."""
    texts = [text for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text]
    return tuple(NamedFolder(path=Path(text).expanduser().absolute(), origin=VARIABLE) for text in texts)


def find_recipes(root: Path, files: FileDigests | None = None) -> tuple[Recipe, ...]:
    """bskernel's own recipes, under images/, in order of path. `files` holds known digests. Raises ConfigError."""
    return _read(root, (root / "images").glob(_RECIPES), files or FileDigests(), "")


def search_recipes(
    root: Path, named: Sequence[NamedFolder] = (), files: FileDigests | None = None
) -> tuple[Recipe, ...]:
    """All recipes of the search path, in its order: named folders, those of `root`, those of distributions.

    Raises ConfigError for a folder that is not there or holds none, and for a wrong recipe.
    """
    files = files or FileDigests()
    found: dict[str, list[Recipe]] = {}
    for folder in named:
        for recipe in recipes_in(folder, root, files):
            found.setdefault(recipe.name, []).append(recipe)
    for recipe in (*find_recipes(root, files), *_declared(root, files)):
        found.setdefault(recipe.name, []).append(recipe)
    for first, *others in found.values():
        first.hidden = tuple(other for other in others if not other.folder.samefile(first.folder))
    return tuple(first for first, *_ in found.values())


def recipes_here() -> tuple[Recipe, ...]:
    """The recipes of this machine's search path, without a project's own. Raises EnvironmentLacking, ConfigError."""
    return search_recipes(locate_root(), named_folders())


def recipes_in(folder: NamedFolder, root: Path, files: FileDigests) -> tuple[Recipe, ...]:
    """The recipes of a named folder: at least one. Raises ConfigError."""
    where = f"{folder.origin}: {folder.path}"
    if not folder.path.is_dir():
        raise ConfigError(f"{where}: no such folder", hint="a folder with EXECUTOR/VERSION/image.toml in it")
    for place in _PLACES:
        paths = list(folder.path.glob(_RECIPES if place == "." else f"{place}/{_RECIPES}"))
        if paths:
            # A checkout has modules and bases of its own, too.
            whole = place == "images" and (folder.path / "docker").is_dir()
            return _read(folder.path if whole else root, paths, files, folder.origin)
    above = _holder(folder.path)
    raise ConfigError(
        f"{where}: no recipe in it",
        hint=f"name the folder above the executors: {above}"
        if above is not None
        else "a recipe is EXECUTOR/VERSION/image.toml in it, or in its images/ or src/PACKAGE/images/",
    )


def _holder(folder: Path) -> Path | None:
    """The folder of recipes that an executor's or a version's folder is in; None if it is neither."""
    if any(folder.glob("*/image.toml")):
        return folder.parent
    return folder.parent.parent if (folder / "image.toml").exists() else None


def _declared(root: Path, files: FileDigests) -> Iterable[Recipe]:
    """The recipes of installed distributions, which have no order: no two may differ under one name."""
    found: dict[str, Recipe] = {}
    for declared in declared_folders():
        folder = NamedFolder(path=declared.folder, origin=declared.distribution)
        try:
            recipes = recipes_in(folder, root, files)
        except ConfigError as error:
            hint = error.hint if error.message.startswith(declared.distribution) else None
            raise ConfigError(
                f"{declared.distribution}, an installed package with executors: {error.message}",
                hint=hint or "mend or uninstall it",
            ) from error
        for recipe in recipes:
            other = found.setdefault(recipe.name, recipe)
            if other.digest != recipe.digest:
                raise ConfigError(
                    f"two installed packages have different executors {recipe.name}: {other.origin} in"
                    f" {other.folder}, {recipe.origin} in {recipe.folder}",
                    hint=f"uninstall one, or name the folder of the one that you mean in {VARIABLE}",
                )
    return found.values()


def _read(root: Path, paths: Iterable[Path], files: FileDigests, origin: str) -> tuple[Recipe, ...]:
    recipes = []
    for path in sorted(paths):
        file = convert(read_toml(path), ImageFile, path)
        if (file.executor, file.version) != (path.parent.parent.name, path.parent.name):
            raise ConfigError(
                f"{path}: its executor {file.executor}@{file.version} does not match its folder",
                hint=f"the folder must be {file.executor}/{file.version}",
            )
        recipes.append(Recipe(root, path.parent, file, files, origin))
    return tuple(recipes)
