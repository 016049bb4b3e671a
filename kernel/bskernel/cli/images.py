"""`bskernel images list | build | check | describe`: what executors run in."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from bskernel.cli.candidates import complete_executor
from bskernel.cli.options import JSON, RUNTIME
from bskernel.cli.output import echo, print_note, print_result
from bskernel.core.errors import EXIT_ENVIRONMENT

if TYPE_CHECKING:
    from bskernel.images.status import RecipeState

_NAMES = click.argument("names", nargs=-1, metavar="[NAME[@VERSION]]...", shell_complete=complete_executor)


@click.group()
def images() -> None:
    """Manage the environments and images that executors run in.

    Each executor has a recipe, images/EXECUTOR/VERSION. From it bskernel makes a virtual environment for the process
    runtime, and a container image for the docker runtime.
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

    Compares each image with its recipe, and catalogue.json with what the executor describes. The exit code is 4 if
    something does not match.
    """
    from bskernel.commands.images import check_images
    from bskernel.workspace.workspace import Workspace

    states = check_images(Workspace.here(), names, report=print_note)
    print_result(states, _describe_states, as_json=as_json)
    if not all(state.sound for state in states):
        sys.exit(EXIT_ENVIRONMENT)


@images.command()
@click.argument("name", metavar="NAME[@VERSION]", shell_complete=complete_executor)
def describe(name: str) -> None:
    """Print the catalogue of an executor, for its catalogue.json.

    The executor is asked for it; its environment is built first if necessary.
    """
    from bskernel.images import select_recipe
    from bskernel.images.description import describe as describe_recipe
    from bskernel.workspace.workspace import Workspace

    workspace = Workspace.here()
    echo(describe_recipe(select_recipe(workspace.recipes, name), workspace.cache, print_note), nl=False)


def _describe_states(states: tuple[RecipeState, ...]) -> str:
    lines = []
    for state in states:
        catalogue = "" if state.catalogue == "not checked" else f", catalogue {state.catalogue}"
        lines.append(f"{state.name}  {state.digest[:12]}  {state.summary}")
        lines.append(f"    environment {state.environment}, image {state.image}{catalogue}")
    return "\n".join(lines)
