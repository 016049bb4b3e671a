"""`bskernel down`: warm sessions, stopped."""

from __future__ import annotations

import click

from bskernel.cli.candidates import complete_executor
from bskernel.cli.output import echo, print_note
from bskernel.core.errors import EnvironmentLacking


@click.command()
@click.argument("names", nargs=-1, metavar="[EXECUTOR]...", shell_complete=complete_executor)
def down(names: tuple[str, ...]) -> None:
    """Stop warm sessions, even if builds are using them.

    Stops those of EXECUTOR (NAME or NAME@VERSION), or all. A build that used one goes on in a session of its own.
    """
    from bskernel.cli.up import FOLDER_HINT
    from bskernel.images import select_recipes
    from bskernel.runtime.warm.status import end_all
    from bskernel.workspace.workspace import Workspace

    workspace = Workspace.here()
    select_recipes(workspace.recipes, names)  # refuses unknown names
    try:
        for ended in end_all(workspace.cache, names, lambda runtime: workspace.starter(runtime, print_note)):
            echo(f"{ended}  stopped")
    except PermissionError as error:
        raise EnvironmentLacking(str(error), hint=FOLDER_HINT) from error
