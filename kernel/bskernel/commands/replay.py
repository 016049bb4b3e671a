"""Runs one step of a build again, alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.step import ExecutorRef
from bskernel.execution.step_runner import prepare_step_dir
from bskernel.images import require_recipe
from bskernel.result.build_directory import BuildDirectory
from bskernel.workspace.workspace import Workspace


def replay(
    workspace: Workspace, build: Path, step: str, target: Path, *, runtime: str, report: Callable[[str], None]
) -> int:
    """Run a step of a build in a new step directory under `target`, which is kept; returns its exit code.

    The step gets the inputs and parameters of its manifest. Raises ConfigError, EnvironmentLacking.
    """
    from bskernel.runtime.session_dirs import make_folders
    from bskernel.tools import find_again

    folder, manifest = BuildDirectory(build).manifest(step)
    actions = BuildDirectory(build).last_actions()
    if (action := actions.get(manifest.step)) is not None and action.each is not msgspec.UNSET:
        items = [name for name in actions if name.startswith(f"{manifest.step}.")]
        raise ConfigError(
            f"{build}: step {manifest.step} runs once for each folder in its input {action.each}",
            hint=f"name one of them: {', '.join(items) or 'none is recorded here; run the build again'}",
        )
    # Inputs are laid out by name: a name with a path in it could write anywhere.
    for artifact in manifest.inputs:
        if "/" in artifact.name or "\0" in artifact.name or artifact.name in {"", ".", ".."}:
            raise ConfigError(
                f"{build}: step {step}: damaged manifest: its input {artifact.name!r} is not a file name",
                hint="run the build again",
            )
    name = ExecutorRef(name=manifest.executor, version=manifest.version, digest=manifest.executor_digest)
    hint = (
        "run the build again, or check out the version of bskernel that made it; the recipes of a project are found"
        " only in BSKERNEL_RECIPES"
    )
    recipe = require_recipe(workspace.recipes, name, where=f"{build}: step {step}", hint=hint)
    directory = target / folder.name
    if directory.exists():
        raise ConfigError(f"{directory} already exists", hint="remove it, or choose another directory with --into")
    tools = tuple(find_again(tool, manifest.tools[tool], workspace.cache) for tool in sorted(manifest.tools))
    executor = msgspec.structs.replace(recipe.ref, tools=tools)
    starter = workspace.starter(runtime, report)
    starter.prepare(executor)
    directory.mkdir(mode=0o700, parents=True)  # whatever the step leaves there is nobody else's to run
    failure = prepare_step_dir(workspace.store, manifest, directory, directory / "in")
    if failure is not None:
        hint = f"run the build again, or `bskernel store pull {build}` if a shared store has it"
        raise EnvironmentLacking(failure.message, hint=hint)
    session = make_folders(workspace.cache, starter.name)
    try:
        return starter.run_by_hand(executor, directory, session, report)
    finally:
        starter.end_orphans(session)
        session.remove()
