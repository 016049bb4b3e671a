"""What can stand at a place of the command line: steps, executors, flows, builds, files, keys of build.toml.

Everything comes from files: catalogues, flows, build directories. No executor starts. A mistake in a file gives no
candidates, because a shell that completes has no place for a message.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from click.shell_completion import CompletionItem

from bskernel.core.errors import BskernelError

if TYPE_CHECKING:
    import click

Complete = Callable[["click.Context", "click.Parameter", str], list[CompletionItem]]


def _completed(names: Callable[[click.Context, str], Iterable[str | tuple[str, str]]]) -> Complete:
    """A function for click from one that yields names, each alone or with a help text."""

    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        items: dict[str, CompletionItem] = {}
        with contextlib.suppress(BskernelError, OSError, ValueError, RecursionError):
            for name in names(context, incomplete):
                value, text = (name, None) if isinstance(name, str) else name
                if value.startswith(incomplete):
                    items.setdefault(value, CompletionItem(value, help=text))
        return list(items.values())

    return complete


def _or_folders(complete: Complete, *, always: bool = False) -> Complete:
    """Also folders, on the way to what is further down: always, or where nothing else fits."""

    def both(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found = complete(context, parameter, incomplete)
        return found if found and not always else [*found, CompletionItem(incomplete, type="dir")]

    return both


def _one_of(*all_of: Complete) -> Complete:
    """What any of these finds."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [item for one in all_of for item in one(context, parameter, incomplete)]

    return complete


def _configs(_: click.Context, incomplete: str) -> Iterator[str]:
    folder = incomplete.rpartition("/")[0]
    start = f"{folder}/" if "/" in incomplete else ""
    for path in sorted(Path(start or ".").iterdir()):
        if path.suffix == ".toml" and path.name not in {"pyproject.toml", "uv.toml"}:
            yield f"{start}{path.name}"


def _builds(_: click.Context, incomplete: str) -> Iterator[str]:
    from bskernel.workspace.project_folder import list_outputs

    folder = incomplete.rpartition("/")[0]
    for place in [folder] if "/" in incomplete else ["", "build"]:
        yield from (str(path) for path in list_outputs(Path(place)))


def _executors(_: click.Context, incomplete: str) -> Iterator[str]:
    from bskernel.images import recipes_here

    for recipe in recipes_here():
        yield recipe.name if "@" in incomplete else recipe.file.executor
        if recipe.file.executor == incomplete:
            yield recipe.name


def _flow_steps(context: click.Context, _: str) -> Iterator[str]:
    from bskernel.flow.loader import load_config
    from bskernel.workspace.project_folder import find_config

    config = context.params.get("config") or find_config()
    for step in load_config(config, tuple(context.params.get("settings") or ())).flow.step:
        yield step.name or str(step.entry).rpartition(":")[2]


def _build_steps(context: click.Context, _: str) -> Iterator[str]:
    from bskernel.workspace.project_folder import find_build

    folder = Path(context.params.get("build") or find_build()) / "steps"
    yield from (name.partition("-")[2] for name in sorted(os.listdir(folder)))  # noqa: PTH208 - names alone


def _clusters(_context: click.Context, _: str) -> Iterator[tuple[str, str]]:
    yield "local:2", "two workers on this machine"
    yield "tcp://", "HOST:PORT of a Dask scheduler"
    for system in ("slurm", "lsf", "pbs"):
        yield system, "a batch system"


def _settings(context: click.Context, incomplete: str) -> Iterator[str]:
    from bskernel.cli.config_keys import keys, values

    key, separator, _ = incomplete.partition("=")
    if separator:
        yield from (f"{key}={value}" for value in values(key))
        return
    yield from (f"{name}=" for name in keys(incomplete))
    for step in _flow_steps(context, incomplete) if incomplete.startswith("step.") else ():
        yield f"step.{step}.parameters."


complete_config = _or_folders(_completed(_configs), always=True)
complete_build = _or_folders(_completed(_builds))
complete_executor = _completed(_executors)
complete_flow_step = _completed(_flow_steps)
complete_build_step = _completed(_build_steps)
complete_cluster = _completed(_clusters)
complete_setting = _completed(_settings)
# BUILD may be left out: a STEP of the current folder's build then stands in its place.
complete_build_or_step = _or_folders(_one_of(complete_build_step, _completed(_builds)))
complete_config_or_build = _one_of(_completed(_builds), complete_config)
complete_config_or_executor = _one_of(complete_executor, complete_config)
