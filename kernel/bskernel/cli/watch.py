"""`bskernel watch`: the page of a build while it runs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from bskernel.cli.candidates import complete_build
from bskernel.cli.options import PATH
from bskernel.cli.output import echo, print_note
from bskernel.core.errors import EXIT_OK, EXIT_STEP_FAILED


@click.command()
@click.argument("build", type=PATH, metavar="[BUILD|SWEEP]", required=False, shell_complete=complete_build)
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
def watch(build: Path | None, opens: bool) -> None:
    """Serve the page of a build or sweep while it runs.

    BUILD is the directory that it writes to, by default that of the build that runs in the current folder. The page
    is served on this machine alone, at an address that nobody can guess, and ends with the build. Ctrl-C ends the
    page, not the build. The exit code is 0 if the build ended well, and 3 if it failed or its process died.
    """
    from bskernel.commands.watch import Watch, WatchServer, find_running, serve

    folder = build if build is not None else _running_here()
    running = find_running(folder)
    try:
        server = WatchServer(Watch(running))
        print_note(f"watching {folder}: {running.holder}")
        echo(server.url)
        sys.stdout.flush()
        if opens:
            import webbrowser

            webbrowser.open(server.url)
        outcome = serve(server)
    except KeyboardInterrupt:
        print_note("the page has ended; the build goes on")
        return
    if outcome == "died":
        print_note(f"error: {folder}: the build died: its process is gone and has left no result")
        print_note("  -> run it again: finished steps are cached")
    elif running.is_sweep:
        print_note(f"the sweep has ended: {outcome}; its points: bskernel results {folder}")
    else:
        print_note(f"the build has ended: {outcome}; its page: bskernel report {folder} --open")
    sys.exit(EXIT_OK if outcome in {"ok", "stopped"} else EXIT_STEP_FAILED)


def _running_here() -> Path:
    from bskernel.workspace.project_folder import find_running_output

    found = find_running_output()
    print_note(f"build: {found}")
    return found
