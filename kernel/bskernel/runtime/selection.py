"""Chooses the runtime of a build: the requested one, or containers if an engine answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.step import ExecutorRef
from bskernel.images import Environment, Recipe, ensure_environment
from bskernel.images.usage import note_environment_use, note_image_use
from bskernel.runtime.confinement import landlock_version, process_warning
from bskernel.runtime.process import ProcessStarter
from bskernel.runtime.session import Starter

if TYPE_CHECKING:
    from bskernel.images.container_image import BuiltImage
    from bskernel.runtime.container import ContainerStarter

RUNTIMES = ("auto", "docker", "process")
RecipeOf = Callable[[ExecutorRef], Recipe]


def choose_starter(name: str, cache: Path, recipe_of: RecipeOf, report: Callable[[str], None]) -> Starter:
    """The starter for the runtime of that name; `auto` reports its choice and the reason.

    Raises ConfigError for an unknown name, EnvironmentLacking when docker is requested and no engine answers.
    """
    if name not in RUNTIMES:
        raise ConfigError(f"unknown runtime {name!r}", hint=f"runtimes: {', '.join(RUNTIMES)}")
    if name == "process":
        return process_starter(cache, recipe_of, report)
    try:
        starter = container_starter(cache, recipe_of, report)
    except EnvironmentLacking as error:
        if name == "docker":
            raise
        report(f"runtime: process ({error.message})")
        report(f"warning: {process_warning(landlock_version())}")
        return process_starter(cache, recipe_of, report)
    if name == "auto":
        report("runtime: docker (an engine answers)")
    return starter


def process_starter(cache: Path, recipe_of: RecipeOf, report: Callable[[str], None]) -> ProcessStarter:
    """A starter that runs executors in their virtual environments."""

    def environment_of(recipe: Recipe) -> Environment:
        environment = ensure_environment(recipe, cache, report)
        note_environment_use(environment.python.parent.parent)
        note_environment_use(environment.code)
        return environment

    return ProcessStarter(recipe_of, environment_of)


def container_starter(cache: Path, recipe_of: RecipeOf, report: Callable[[str], None]) -> ContainerStarter:
    """A starter that runs executors in containers.

    Raises EnvironmentLacking when no engine answers, or when it does not see the cache.
    """
    from bskernel.images.container_image import ensure_image
    from bskernel.images.engine import connect
    from bskernel.runtime.container import ContainerStarter
    from bskernel.runtime.engine_reach import require_reach

    client = connect()
    info = client.info()
    require_reach(client, info, cache)
    images: dict[ExecutorRef, BuiltImage] = {}

    def image_of(executor: ExecutorRef) -> BuiltImage:
        if executor not in images:
            images[executor] = ensure_image(recipe_of(executor), client, cache, report)
            note_image_use(cache, images[executor].id)
        return images[executor]

    return ContainerStarter(client, info, image_of, report)
