"""`bskernel up | down`: sessions that stay ready between runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bskernel.core.errors import EnvironmentLacking

if TYPE_CHECKING:
    from bskernel.core.step import ExecutorRef
    from bskernel.runtime.warm.status import WarmStatus
    from bskernel.workspace.workspace import Workspace

_UNITS = {"s": 1, "m": 60, "h": 3600}


def duration(text: str) -> float:
    """Seconds, from such as 90s, 10m, 1h30m. Raises click.BadParameter for anything else, and for nothing."""
    parts = re.findall(r"(\d+(?:\.\d+)?)([smh])", text)
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or seconds <= 0:
        raise click.BadParameter(f"{text!r} is no duration: give such as 90s, 10m or 1h30m")
    return seconds


KEEP_WARM = click.option(
    "--keep-warm",
    type=duration,
    metavar="TIME",
    help="Keep the build's sessions ready for others until nobody has used them for TIME (as 10m).",
)


def describe_duration(seconds: float | None) -> str:
    """As 4 s, 10 min, 1 h 30 min; "-" for None."""
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours = f"{minutes // 60} h" if minutes >= 60 else ""
    return f"{hours} {minutes % 60} min".strip() if minutes % 60 else hours


def describe_standing(found: list[WarmStatus]) -> str:
    """A table, or a line that says that nothing is up."""
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


def _executors(workspace: Workspace, names: tuple[str, ...]) -> list[ExecutorRef]:
    """Of a build's steps, where a name is a build.toml's; each once."""
    found: list[ExecutorRef] = []
    for name in names:
        if name.endswith(".toml") or Path(name).is_file():
            found += [step.executor for step in workspace.prepare(Path(name)).plan.steps]
        else:
            found.append(workspace.executors.resolve(name, {}, "up").ref)
    return list(dict.fromkeys(found))


def _keep(workspace: Workspace, executors: list[ExecutorRef], runtime: str, keep_s: float) -> None:
    from bskernel.core.interfaces import SessionFailed

    warm = workspace.runtime(runtime, lambda text: click.echo(text, err=True))
    try:
        warm.keep_all(executors, keep_s)
    except SessionFailed as error:
        raise EnvironmentLacking(" | ".join((error.failure.message, *error.failure.cause))) from error
    finally:
        warm.close()


@click.command()
@click.argument("what", nargs=-1, metavar="[CONFIG | EXECUTOR]...")
@click.option(
    "--for",
    "keep_s",
    type=duration,
    metavar="TIME",
    default="10m",
    show_default=True,
    help="How long while no build uses them.",
)
@click.option(
    "--runtime",
    type=click.Choice(["auto", "docker", "process"]),
    default="auto",
    envvar="BSKERNEL_RUNTIME",
    show_default=True,
    show_envvar=True,
    help="Where they run; a build uses those of its own runtime.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
def up(what: tuple[str, ...], keep_s: float, runtime: str, as_json: bool) -> None:
    """Start executors ahead of builds: those of CONFIG's steps, or NAME[@VERSION]; with none, show which are up.

    A build then finds their libraries imported. Each ends when no build has used it for the time of --for.
    """
    from bskernel_protocol import pretty_json

    from bskernel.runtime.warm.status import warm_statuses
    from bskernel.workspace.workspace import Workspace

    workspace = Workspace.here()
    try:
        if what:
            _keep(workspace, _executors(workspace, what), runtime, keep_s)
        found = list(warm_statuses(workspace.cache))
    except PermissionError as error:
        raise EnvironmentLacking(str(error), hint="remove it: it holds nothing that lasts") from error
    click.echo(pretty_json(found) if as_json else describe_standing(found), nl=not as_json)


@click.command()
@click.argument("names", nargs=-1, metavar="[EXECUTOR]...")
def down(names: tuple[str, ...]) -> None:
    """End the warm sessions of EXECUTOR (NAME or NAME@VERSION), or all, also while builds use them.

    Such a build goes on in a session of its own.
    """
    from bskernel.images import select_recipes
    from bskernel.runtime.warm.status import end_all
    from bskernel.workspace.workspace import Workspace

    workspace = Workspace.here()
    select_recipes(workspace.recipes, names)
    try:
        for ended in end_all(workspace.cache, names, lambda runtime: workspace.starter(runtime, click.echo)):
            click.echo(f"{ended}  ended")
    except PermissionError as error:
        raise EnvironmentLacking(str(error), hint="remove it: it holds nothing that lasts") from error
