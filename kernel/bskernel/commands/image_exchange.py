"""Gives images to other machines and takes theirs: archives in files, and registries."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from bskernel.core.errors import ConfigError
from bskernel.core.places import Place, place_lacking, within
from bskernel.images import select_recipes
from bskernel.images.recipe import Recipe
from bskernel.workspace.workspace import Workspace

Report = Callable[[str], None]


class MovedImage(msgspec.Struct, frozen=True, kw_only=True):
    """An executor's image that was exported, imported, pushed or pulled.

    `image` is the digest of its configuration, or in a registry that of its manifest, or for the process runtime that
    of the environment's layer; `place` is the file, registry or runtime that has it now.
    """

    name: str
    recipe: str
    image: str
    place: str


def export_images(workspace: Workspace, names: Sequence[str], target: Path, report: Report) -> Iterator[MovedImage]:
    """Write the images of executors, or of all: to one archive if `target` ends in .tar, else to one each below it.

    Needs no engine, except for a base that a registry holds. Raises EnvironmentLacking, ConfigError.
    """
    from bskernel.images.archive_file import write_archive
    from bskernel.images.container_image import complete_content
    from bskernel.images.recipe_layers import recipe_layers

    recipes = select_recipes(workspace.recipes, names)
    client = workspace.engine()
    single = target.suffix == ".tar" and not target.is_dir()
    folder = target.parent if single else target
    place = Place("the folder", str(folder), "or choose another with --output")
    groups = [recipes] if single else [(recipe,) for recipe in recipes]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise place_lacking(error) or ConfigError(f"{folder}: cannot be made: {error.strerror}") from error
    for group in groups:
        path = target if single else folder / f"{group[0].file.executor}-{group[0].file.version}.tar"
        with recipe_layers(workspace.cache, report) as layers:
            contents = [complete_content(recipe, client, layers, report) for recipe in group]
            report(f"writing {path}")
            with within(place):
                write_archive(path, contents)
        for recipe, content in zip(group, contents, strict=True):
            yield _moved(recipe, f"sha256:{content.images[-1].id}", str(path))


def import_images(workspace: Workspace, path: Path, runtime: str, report: Report) -> Iterator[MovedImage]:
    """Take the images of an archive: into the engine, or for the process runtime into environments.

    Every blob is compared with its digest, and every image with its recipe, before the first is taken. Raises
    ConfigError, EnvironmentLacking.
    """
    from bskernel.images.archive_file import read_archive
    from bskernel.images.container_image import ImageContent, find_executor, load
    from bskernel.images.engine import connect
    from bskernel.images.stored_image_check import images_of
    from bskernel.images.unpacked_environment import unpack_environment

    report(f"checking {path}")
    known = {recipe.name: recipe for recipe in workspace.recipes}
    stored = read_archive(path)
    for image in stored:
        if image.executor not in known:
            report(f"warning: {path}: {image.executor} is left out: no recipe here has that name")
    chosen = [(known[image.executor], image) for image in stored if image.executor in known]
    if not chosen:
        raise ConfigError(
            f"{path}: no image of a known executor in it", hint=f"executors: {', '.join(sorted(known))}"
        )
    images = [images_of(recipe, image, str(path)) for recipe, image in chosen]
    client = workspace.engine() if runtime == "auto" else connect() if runtime == "docker" else None
    for (recipe, image), configs in zip(chosen, images, strict=True):
        if client is None:
            unpack_environment(recipe, image.layers[-2], workspace.cache, report)
            yield _moved(recipe, f"sha256:{image.layers[-2].digest}", "process")
        else:
            report(f"loading {configs[-1].name}")
            load(client, ImageContent(images=configs, layers={layer.digest: layer for layer in image.layers}))
            yield _moved(recipe, find_executor(client, recipe)[1], "docker")


def push_images(workspace: Workspace, names: Sequence[str], repository: str, report: Report) -> Iterator[MovedImage]:
    """Push the images of executors, or of all, made here if need be. Raises EnvironmentLacking, ConfigError."""
    from bskernel.images.container_image import ensure_image
    from bskernel.images.engine import connect
    from bskernel.images.registry import check_repository, push_image

    check_repository(repository)
    recipes = select_recipes(workspace.recipes, names)
    client = connect()
    for recipe in recipes:
        image = ensure_image(recipe, client, workspace.cache, report)
        report(f"pushing {recipe.name} to {repository}")
        digest = push_image(client, recipe, image, repository)
        yield _moved(recipe, digest or image.id, f"{repository}:{recipe.digest}")


def pull_images(workspace: Workspace, names: Sequence[str], repository: str, report: Report) -> Iterator[MovedImage]:
    """Pull the images of executors, or of all, unless the engine has them. Raises EnvironmentLacking, ConfigError."""
    from bskernel.images.container_image import find_executor
    from bskernel.images.engine import connect
    from bskernel.images.registry import check_repository, pull_image

    check_repository(repository)
    recipes = select_recipes(workspace.recipes, names)
    client = connect()
    for recipe in recipes:
        state, identifier = find_executor(client, recipe)
        if state == "built":
            report(f"{recipe.name} is in the engine already")
        else:
            report(f"pulling {recipe.name} from {repository}")
            identifier = pull_image(client, recipe, repository).id
        yield _moved(recipe, identifier, "docker")


def _moved(recipe: Recipe, image: str, place: str) -> MovedImage:
    return MovedImage(name=recipe.name, recipe=recipe.digest, image=image, place=place)
