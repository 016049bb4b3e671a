"""`bskernel plan`: what a build or a sweep would run."""

from __future__ import annotations

import click

from bskernel.cli.options import JSON, BuildSelection, build_selection
from bskernel.cli.output import echo, print_note
from bskernel.cli.plan_views import GRAPHS
from bskernel.core.errors import ConfigError


@click.command()
@build_selection
@JSON
@click.option("--graph", type=click.Choice(GRAPHS), help="Print a graph of the steps and the artifacts between them.")
@click.option("-v", "--verbose", is_flag=True, help="Show the folder of each executor's recipe.")
def plan(selection: BuildSelection, as_json: bool, graph: str | None, verbose: bool) -> None:
    """Show what would run and why; nothing is executed.

    Lists the steps of CONFIG, by default the build.toml of the current folder, with their executors; a step that is
    not cached says what changed. For a configuration with a [sweep], lists its points and distinct steps.
    """
    from bskernel.cli.plan_views import describe_plan, draw_plan, plan_json
    from bskernel.commands.preview import preview_build
    from bskernel.config.reader import read_config
    from bskernel.flow.loader import check_config
    from bskernel.workspace.workspace import Workspace

    if as_json and graph is not None:
        raise ConfigError("--json and --graph: give one of them")
    workspace = Workspace.here()
    text = read_config(selection.config, selection.settings)
    range_request = selection.range_request()
    if "sweep" in text.data:
        from bskernel.cli.sweep_views import show_sweep

        shown = show_sweep(workspace, text, range_request, print_note, as_json=as_json, graph=graph)
        echo(shown, nl=False)
        return
    prepared = workspace.prepare_loaded(check_config(text), range_request=range_request, output=selection.output)
    planned = preview_build(workspace, prepared, print_note)
    if graph is not None:
        echo(draw_plan(planned, graph), nl=False)
    elif as_json:
        echo(plan_json(planned, prepared.plan.range, prepared.backend, prepared.plan.warnings), nl=False)
    else:
        folders = {recipe.name: str(recipe.folder) for recipe in workspace.recipes} if verbose else {}
        shown = describe_plan(planned, prepared.plan.range, prepared.backend, prepared.plan.warnings, folders)
        echo(shown, nl=False)
