"""`bskernel up`: warm sessions, started and listed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bskernel.cli.candidates import complete_config_or_executor
from bskernel.cli.options import JSON, RUNTIME
from bskernel.cli.output import print_note, print_result
from bskernel.cli.units import describe_duration, duration
from bskernel.core.errors import EnvironmentLacking

if TYPE_CHECKING:
    from bskernel.core.step import ExecutorRef
    from bskernel.runtime.warm.status import WarmStatus
    from bskernel.workspace.workspace import Workspace

FOLDER_HINT = "remove it: it holds only warm sessions"


@click.command()
@click.argument("what", nargs=-1, metavar="[CONFIG | EXECUTOR]...", shell_complete=complete_config_or_executor)
@click.option(
    "--for",
    "keep_s",
    type=duration,
    metavar="TIME",
    default="10m",
    show_default=True,
    help="Idle time after which a session stops.",
)
@RUNTIME
@JSON
def up(what: tuple[str, ...], keep_s: float, runtime: str, as_json: bool) -> None:
    """Start warm sessions ahead of builds, and list all of them.

    Starts the executors of CONFIG's steps, or EXECUTOR (NAME or NAME@VERSION). Builds in the same runtime then find
    their libraries imported.
    """
    from bskernel.runtime.warm.status import warm_statuses
    from bskernel.workspace.workspace import Workspace

    workspace = Workspace.here()
    try:
        for name in what:
            # Each on its own: a project's recipes are for its builds alone.
            _start(workspace, _executors(workspace, name), runtime, keep_s)
        found = list(warm_statuses(workspace.cache))
    except PermissionError as error:
        raise EnvironmentLacking(str(error), hint=FOLDER_HINT) from error
    print_result(found, _describe_sessions, as_json=as_json)


def _executors(workspace: Workspace, name: str) -> list[ExecutorRef]:
    """Resolve a name to an executor; a build.toml stands for the executors of its steps, each once."""
    if name.endswith(".toml") or Path(name).is_file():
        return list(dict.fromkeys(step.executor for step in workspace.prepare(Path(name)).plan.steps))
    return [workspace.executors.resolve(name, {}, "up").ref]


def _start(workspace: Workspace, executors: list[ExecutorRef], runtime: str, keep_s: float) -> None:
    from bskernel.core.interfaces import SessionFailed

    warm = workspace.runtime(runtime, print_note)
    try:
        warm.keep_all(executors, keep_s)
    except SessionFailed as error:
        raise EnvironmentLacking(" | ".join((error.failure.message, *error.failure.cause))) from error
    finally:
        warm.close()


def _describe_sessions(found: Sequence[WarmStatus]) -> str:
    from bskernel.report.terminal import aligned

    if not found:
        return "no warm sessions"
    rows = [("executor", "runtime", "state", "idle since", "ends in", "memory")]
    rows += [
        (
            item.executor,
            item.runtime,
            item.state,
            describe_duration(item.idle_s),
            describe_duration(item.left_s),
            f"{item.memory_mib} MiB" if item.memory_mib is not None else "-",
        )
        for item in found
    ]
    return "\n".join(aligned(rows))
