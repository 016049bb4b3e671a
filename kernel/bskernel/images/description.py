"""Asks an executor for its catalogue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bskernel.core.errors import EnvironmentLacking
from bskernel.images.environment import ensure_environment
from bskernel.images.recipe import Recipe, environment_variables


def describe(recipe: Recipe, cache: Path, report: Callable[[str], None]) -> str:
    """The executor's catalogue as JSON text. Raises EnvironmentLacking with the executor's own error."""
    import subprocess

    environment = ensure_environment(recipe, cache, report)
    done = subprocess.run(
        [*environment.command, "describe", recipe.module],
        env=environment_variables(recipe) | {"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    if done.returncode:
        raise EnvironmentLacking(f"{recipe.name} cannot describe itself: {done.stderr.strip()[-600:]}")
    return done.stdout
