"""`bskernel images`: what executors run in - list, build, check, lock, describe, export, import, push, pull."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bskernel.cli.candidates import complete_executor
from bskernel.cli.options import JSON, PATH, RUNTIME
from bskernel.cli.output import echo, print_note, print_result
from bskernel.core.errors import EXIT_ENVIRONMENT

if TYPE_CHECKING:
    from bskernel.commands.image_exchange import MovedImage
    from bskernel.images.status import RecipeState

_NAMES = click.argument("names", nargs=-1, metavar="[NAME[@VERSION]]...", shell_complete=complete_executor)


@click.group()
def images() -> None:
    """Manage the environments and images that executors run in.

    Each executor has a recipe, a folder EXECUTOR/VERSION. From it bskernel makes a virtual environment for the
    process runtime, and a container image for the docker runtime. Recipes are found in the folders of
    BSKERNEL_RECIPES, in bskernel itself, and in installed packages with executors.
    """


@images.command("list")
@JSON
def list_(as_json: bool) -> None:
    """List executors with the state of their environments and images."""
    from bskernel.commands.images import image_states
    from bskernel.workspace.workspace import Workspace

    print_result(image_states(Workspace.here()), _describe_states, as_json=as_json)


@images.command()
@_NAMES
@RUNTIME
def build(names: tuple[str, ...], runtime: str) -> None:
    """Build the images or environments of executors ahead of use.

    Without names, those of all executors. --runtime docker builds images, --runtime process builds environments.
    """
    from bskernel.commands.images import make_images
    from bskernel.workspace.workspace import Workspace

    for name in make_images(Workspace.here(), names, runtime=runtime, report=print_note):
        echo(f"{name}  built")


@images.command()
@_NAMES
@JSON
def check(names: tuple[str, ...], as_json: bool) -> None:
    """Check that images and catalogues match their recipes.

    Compares the layers and settings of each image with what its recipe makes here, by digest, and catalogue.json with
    what the executor describes. The exit code is 4 if something does not match.
    """
    from bskernel.commands.images import check_images
    from bskernel.workspace.workspace import Workspace

    states = check_images(Workspace.here(), names, report=print_note)
    print_result(states, _describe_states, as_json=as_json)
    if not all(state.sound for state in states):
        sys.exit(EXIT_ENVIRONMENT)


@images.command()
@click.argument("name", metavar="NAME[@VERSION]", shell_complete=complete_executor)
@click.option("--write", is_flag=True, help="Write it to catalogue.json of the recipe.")
def describe(name: str, write: bool) -> None:
    """Print or write the catalogue of an executor.

    The executor is asked for it; its environment is built first if necessary.
    """
    from bskernel.commands.recipe_files import write_catalogue
    from bskernel.images import select_recipe
    from bskernel.images.description import describe as describe_recipe
    from bskernel.workspace.workspace import Workspace

    workspace = Workspace.here()
    recipe = select_recipe(workspace.recipes, name)
    text = describe_recipe(recipe, workspace.cache, print_note)
    if write:
        echo(f"{write_catalogue(recipe, text)}  written")
    else:
        echo(text, nl=False)


@images.command()
@click.argument("name", metavar="NAME[@VERSION]")
@click.option("--upgrade", is_flag=True, help="Take the newest versions; without it, what is locked stays.")
def lock(name: str, upgrade: bool) -> None:
    """Lock the packages of a recipe.

    Makes requirements.lock from requirements.in; needs a package index. A file overrides.txt in the recipe overrides
    what packages ask for.
    """
    from bskernel.commands.recipe_files import lock_packages
    from bskernel.images import recipes_here, select_recipe

    recipe = select_recipe(recipes_here(), name)
    echo(f"{lock_packages(recipe, upgrade=upgrade)}  written")
    print_note(f"next: bskernel images describe {recipe.name} --write")


@images.command("export")
@_NAMES
@click.option(
    "-o",
    "--output",
    type=PATH,
    required=True,
    metavar="FOLDER | FILE.tar",
    help="A folder gets one archive for each executor; FILE.tar holds all, what they share once.",
)
def export_(names: tuple[str, ...], output: Path) -> None:
    """Write images to archives for other machines.

    Without names, those of all executors. The same recipe gives the same bytes. `bskernel images import`, Docker,
    Podman, skopeo and Apptainer read them. No engine is needed.
    """
    from bskernel.commands.image_exchange import export_images
    from bskernel.workspace.workspace import Workspace

    _tell(export_images(Workspace.here(), names, output, print_note))


@images.command("import")
@click.argument("file", type=PATH)
@RUNTIME
def import_(file: Path, runtime: str) -> None:
    """Take the images of an archive instead of building them.

    --runtime docker loads images into the engine, --runtime process makes environments. Needs no package index. Each
    image must be the one of its recipe here.
    """
    from bskernel.commands.image_exchange import import_images
    from bskernel.workspace.workspace import Workspace

    _tell(import_images(Workspace.here(), file, runtime, print_note))


@images.command()
@click.argument("repository", metavar="REGISTRY/REPO")
@_NAMES
def push(repository: str, names: tuple[str, ...]) -> None:
    """Push images to a registry.

    Without names, those of all executors; builds what is missing. The tag is the digest of the recipe.
    Log in with `docker login`.
    """
    from bskernel.commands.image_exchange import push_images
    from bskernel.workspace.workspace import Workspace

    _tell(push_images(Workspace.here(), names, repository, print_note))


@images.command()
@click.argument("repository", metavar="REGISTRY/REPO")
@_NAMES
def pull(repository: str, names: tuple[str, ...]) -> None:
    """Pull images from a registry instead of building them.

    Without names, those of all executors. Each image must be the one of its recipe here.
    """
    from bskernel.commands.image_exchange import pull_images
    from bskernel.workspace.workspace import Workspace

    _tell(pull_images(Workspace.here(), names, repository, print_note))


def _tell(moved: Iterator[MovedImage]) -> None:
    for image in moved:
        echo(f"{image.name}  {image.image[:19]}  {image.place}")


def _describe_states(states: tuple[RecipeState, ...]) -> str:
    lines = []
    for state in states:
        catalogue = "" if state.catalogue == "not checked" else f", catalogue {state.catalogue}"
        lines.append(f"{state.name}  {state.digest[:12]}  {state.summary}")
        lines.append(f"    environment {state.environment}, image {state.image}{catalogue}")
        lines.append(f"    {state.folder}{f'  [{state.origin}]' if state.origin else ''}")
        lines += [f"    used in place of another of this name: {folder}" for folder in state.hides]
    return "\n".join(lines)
