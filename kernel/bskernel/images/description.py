"""Asks an executor for its catalogue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bskernel.core.errors import EnvironmentLacking
from bskernel.images.environment import Environment, ensure_environment
from bskernel.images.recipe import Recipe, environment_variables

_LAST_LINES = 6


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
        reason = _reason(done.stderr, recipe, environment)
        raise EnvironmentLacking(
            f"{recipe.name} cannot describe itself: {reason}",
            hint=f"add its package to {recipe.folder / 'requirements.in'}, then: bskernel images lock {recipe.name}"
            if reason.startswith("ModuleNotFoundError: ")
            else None,
        )
    return done.stdout


def _reason(said: str, recipe: Recipe, environment: Environment) -> str:
    """What the executor's process said at its end; of a traceback, the exception and its place in the sources."""
    lines = said.strip().splitlines()
    frames = [at for at, line in enumerate(lines) if line.startswith('  File "')]
    if not frames:
        return " | ".join(lines[-_LAST_LINES:])
    reason = " ".join(line.strip() for line in lines[frames[-1] :] if not line.startswith("  "))
    sources = {str(environment.code / name): path for name, path in recipe.source_files()}
    for at in reversed(frames):
        file, _, place = lines[at].removeprefix('  File "').partition('", ')
        if file in sources:
            return f"{reason} ({sources[file]}, {place.partition(',')[0]})"
    return reason
