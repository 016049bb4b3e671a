"""Which runtime a build gets: the one that is asked for, or the container runtime where an engine answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.step import ExecutorRef
from bskernel.images import Environment, Recipe, ensure_environment
from bskernel.runtime.process import ProcessStarter
from bskernel.runtime.session import Starter

if TYPE_CHECKING:
    from bskernel.images.container_image import BuiltImage
    from bskernel.runtime.container import ContainerStarter

RUNTIMES = ("auto", "docker", "process")
RecipeOf = Callable[[ExecutorRef], Recipe]


def choose_starter(name: str, cache: Path, recipe_of: RecipeOf, report: Callable[[str], None]) -> Starter:
    """What starts executors in the runtime of that name; `auto` reports which and why.

    Raises ConfigError for another name, EnvironmentLacking when docker is asked for and no engine answers.
    """
    if name not in RUNTIMES:
        raise ConfigError(f"runtime {name!r}: there is no such runtime", hint=f"runtimes: {', '.join(RUNTIMES)}")
    if name == "process":
        return process_starter(cache, recipe_of, report)
    try:
        starter = container_starter(cache, recipe_of, report)
    except EnvironmentLacking as error:
        if name == "docker":
            raise
        report(f"runtime: process ({error.message})")
        return process_starter(cache, recipe_of, report)
    if name == "auto":
        report("runtime: docker (an engine answers)")
    return starter


def process_starter(cache: Path, recipe_of: RecipeOf, report: Callable[[str], None]) -> ProcessStarter:
    """Starts executors in their environments."""

    def environment_of(recipe: Recipe) -> Environment:
        return ensure_environment(recipe, cache, report)

    return ProcessStarter(recipe_of, environment_of)


def container_starter(cache: Path, recipe_of: RecipeOf, report: Callable[[str], None]) -> ContainerStarter:
    """Starts executors in containers of their images. Raises EnvironmentLacking when no engine answers."""
    from bskernel.images.container_image import ensure_image
    from bskernel.images.engine import connect
    from bskernel.runtime.container import ContainerStarter

    client = connect()
    images: dict[ExecutorRef, BuiltImage] = {}

    def image_of(executor: ExecutorRef) -> BuiltImage:
        if executor not in images:
            images[executor] = ensure_image(recipe_of(executor), client, cache, report)
        return images[executor]

    return ContainerStarter(client, image_of, report)
