"""`bskernel run | plan | steps | replay | images | schema`; other commands have modules of their own."""

from __future__ import annotations

import importlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from bskernel.cli.cluster_option import CLUSTER, alone
from bskernel.cli.options import (
    CONFIG,
    FRESH,
    INTERRUPTED,
    JOBS,
    JSON,
    OUTPUT,
    RUNTIME,
    SET,
    VERBOSE,
    has_cursor,
)
from bskernel.cli.plan_views import GRAPHS
from bskernel.cli.range_options import RangeOptions, range_options
from bskernel.cli.warm import KEEP_WARM
from bskernel.core.errors import (
    EXIT_ENVIRONMENT,
    EXIT_INTERRUPTED,
    EXIT_STEP_FAILED,
    BskernelError,
    ConfigError,
)

if TYPE_CHECKING:
    from bskernel.core.observers import Observer
    from bskernel.images import RecipeState

# Commands that have modules of their own, by these.
_ELSEWHERE = {
    "blueprint": "blueprint",
    "bundle": "explain_bundle",
    "diff": "diff",
    "doctor": "doctor",
    "down": "warm",
    "explain": "explain_bundle",
    "results": "results",
    "store": "store",
    "sweep": "sweep",
    "up": "warm",
}


class _Commands(click.Group):
    """Imports the module of a command when that command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *_ELSEWHERE})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _ELSEWHERE:
            return super().get_command(ctx, cmd_name)
        command: click.Command = getattr(importlib.import_module(f"bskernel.cli.{_ELSEWHERE[cmd_name]}"), cmd_name)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Build FPGA accelerators from quantized neural networks, each step in a pinned executor.

    Exit codes: 0 done, 2 config or usage, 3 a step failed, 4 the environment lacks something, 5 a gate of
    diff failed, 130 interrupted.
    """


@cli.command()
@CONFIG
@RUNTIME
@range_options
@SET
@OUTPUT
@VERBOSE
@JOBS
@FRESH
@KEEP_WARM
@CLUSTER
@JSON
def run(
    config: Path,
    runtime: str,
    range_request: RangeOptions,
    settings: tuple[str, ...],
    output: Path | None,
    verbose: bool,
    jobs: int | None,
    fresh: bool,
    keep_warm: float | None,
    cluster: str | None,
    as_json: bool,
) -> None:
    """Build what CONFIG says; steps whose inputs are unchanged are recalled."""
    from bskernel_protocol import pretty_json

    from bskernel.commands.build import run_build
    from bskernel.config.assignments import with_jobs
    from bskernel.report.terminal import describe_result
    from bskernel.workspace.workspace import Workspace

    alone(cluster, keep_warm)
    workspace = Workspace.here()
    prepared = workspace.prepare(
        config, settings=with_jobs(settings, jobs), range_request=range_request.as_range_request(), output=output
    )
    observer = _observer(verbose=verbose)
    result = run_build(
        workspace, prepared, runtime=runtime, observer=observer, fresh=fresh, keep_s=keep_warm, cluster=cluster
    )
    click.echo(pretty_json(result) if as_json else describe_result(result), nl=not as_json)
    if result.status == "interrupted":
        click.echo(INTERRUPTED, err=True)
    sys.exit(result.exit_code)


def _observer(*, verbose: bool) -> Observer:
    if verbose:
        from bskernel.report.log import Log

        return Log.to_terminal()
    if has_cursor():
        from bskernel.report.progress import ProgressBar

        return ProgressBar()
    from bskernel.report.terminal import LineObserver

    return LineObserver()


@cli.command()
@CONFIG
@range_options
@SET
@OUTPUT
@JSON
@click.option("--graph", type=click.Choice(GRAPHS), help="Print the steps and the artifacts between them as a graph.")
def plan(
    config: Path,
    range_request: RangeOptions,
    settings: tuple[str, ...],
    output: Path | None,
    as_json: bool,
    graph: str | None,
) -> None:
    """Show the steps, their executors, and which are cached or why not; of a sweep its points and distinct steps."""
    from bskernel.cli.plan_views import describe_plan, draw_plan, plan_json
    from bskernel.commands.preview import preview_build
    from bskernel.config.reader import read_config
    from bskernel.flow.loader import check_config
    from bskernel.workspace.workspace import Workspace

    if as_json and graph is not None:
        raise ConfigError("--json and --graph: give one of them")
    workspace = Workspace.here()
    text = read_config(config, settings)
    if "sweep" in text.data:
        from bskernel.cli.sweep_views import show_sweep

        click.echo(
            show_sweep(workspace, text, range_request.as_range_request(), _tell, as_json=as_json, graph=graph),
            nl=False,
        )
        return
    prepared = workspace.prepare_loaded(
        check_config(text), range_request=range_request.as_range_request(), output=output
    )
    planned = preview_build(workspace, prepared, _tell)
    if graph is not None:
        click.echo(draw_plan(planned, graph), nl=False)
    else:
        click.echo(
            (plan_json if as_json else describe_plan)(planned, prepared.plan.range, prepared.backend), nl=False
        )


@cli.command()
@click.argument("executor", required=False)
@JSON
def steps(executor: str | None, as_json: bool) -> None:
    """List executors, or the entries of EXECUTOR (NAME or NAME@VERSION) with parameters and stages."""
    from bskernel_protocol import pretty_json

    from bskernel.core.catalogue import how_to_describe
    from bskernel.workspace.workspace import Workspace

    executors = Workspace.here().executors
    if executor is None:
        for info in executors.known:
            mark = "  (default)" if info.default else ""
            click.echo(f"{info.ref}{mark}: {len(info.catalogue.entries)} entries: {info.catalogue.summary}")
        for ref in executors.undescribed:
            click.echo(f"{ref}: not described yet: run bskernel {how_to_describe(ref)}")
        return
    catalogue = executors.resolve(executor, {}, "steps").catalogue
    if as_json:
        click.echo(pretty_json(catalogue), nl=False)
        return
    for entry in catalogue.entries:
        stages = f"{'|'.join(entry.stage_in) or 'any'} -> {entry.stage_out or 'same'}"
        checks = f"  tells {', '.join(entry.checks_stages)}" if entry.checks_stages else ""
        needs = f"  needs {', '.join(entry.needs)}" if entry.needs else ""
        click.echo(f"{entry.name}  [{stages}]{checks}{needs}\n    {entry.summary}")
        for parameter in entry.parameters:
            unit = f" {parameter.unit}" if parameter.unit else ""
            source = f", from {parameter.default_from}" if parameter.default_from else ""
            value = "required" if parameter.required else f"default {parameter.default!r}{unit}"
            click.echo(f"      {parameter.name} ({value}{source}): {parameter.help}")


@cli.command()
@click.argument("build", type=click.Path(path_type=Path))
@click.argument("step")
@RUNTIME
@click.option("--into", type=click.Path(path_type=Path), default=Path("replay"), show_default=True)
def replay(build: Path, step: str, runtime: str, into: Path) -> None:
    """Run a STEP of a finished or failed build directory again, alone, in a folder that is kept."""
    from bskernel.commands import replay as replay_command
    from bskernel.workspace.workspace import Workspace

    code = replay_command.replay(Workspace.here(), build, step, into.resolve(), runtime=runtime, report=_tell)
    sys.exit(EXIT_STEP_FAILED if code else 0)


def _tell(text: str) -> None:
    click.echo(text, err=True)


@cli.group()
def images() -> None:
    """The executors' recipes and what is made from them: environments, and images of a Docker engine."""


@images.command("list")
@JSON
def images_list(as_json: bool) -> None:
    """Every executor and version: its digest, and whether its environment and its image are made."""
    from bskernel.commands.images import image_states
    from bskernel.workspace.workspace import Workspace

    _show(image_states(Workspace.here()), as_json)


@images.command("build")
@click.argument("names", nargs=-1, metavar="[NAME[@VERSION]]...")
@RUNTIME
def images_build(names: tuple[str, ...], runtime: str) -> None:
    """Make what executors run in, the named ones or all: images with docker, environments with process."""
    from bskernel.commands.images import make_images
    from bskernel.workspace.workspace import Workspace

    for name in make_images(Workspace.here(), names, runtime=runtime, report=_tell):
        click.echo(f"{name}  made")


@images.command("check")
@click.argument("names", nargs=-1, metavar="[NAME[@VERSION]]...")
@JSON
def images_check(names: tuple[str, ...], as_json: bool) -> None:
    """Does what is made fit the recipes, and catalogue.json the executors? Exit code 4 when something does not."""
    from bskernel.commands.images import check_images
    from bskernel.workspace.workspace import Workspace

    states = check_images(Workspace.here(), names, report=_tell)
    _show(states, as_json)
    if not all(state.sound for state in states):
        sys.exit(EXIT_ENVIRONMENT)


def _show(states: tuple[RecipeState, ...], as_json: bool) -> None:
    from bskernel_protocol import pretty_json

    if as_json:
        click.echo(pretty_json(states), nl=False)
        return
    for state in states:
        catalogue = "" if state.catalogue == "not checked" else f", catalogue {state.catalogue}"
        click.echo(f"{state.name}  {state.digest[:12]}  {state.summary}")
        click.echo(f"    environment {state.environment}, image {state.image}{catalogue}")


@images.command("describe")
@click.argument("name")
def images_describe(name: str) -> None:
    """Print the catalogue of NAME@VERSION as its executor gives it (catalogue.json is this)."""
    from bskernel.images import describe, select_recipe
    from bskernel.workspace.workspace import Workspace

    workspace = Workspace.here()
    click.echo(describe(select_recipe(workspace.recipes, name), workspace.cache, _tell), nl=False)


@cli.command()
@click.argument("what", type=click.Choice(["config", "protocol"]))
def schema(what: str) -> None:
    """Print a JSON Schema: of build.toml or of the protocol."""
    from bskernel_protocol import pretty_json
    from bskernel_protocol.schema import protocol_schema

    from bskernel.config.reader import config_schema

    click.echo(config_schema() if what == "config" else pretty_json(protocol_schema()), nl=False)


def _terminate(signum: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt(signal.Signals(signum).name)


def main() -> None:
    """Entry point: turns errors into one clear message and an exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        cli(standalone_mode=False)
    except BskernelError as error:
        click.echo(f"error: {error.message}", err=True)
        if error.hint:
            click.echo(f"  -> {error.hint}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo(INTERRUPTED, err=True)
        sys.exit(EXIT_INTERRUPTED)
