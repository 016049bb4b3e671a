"""The command `bskernel`: it loads the module of a command when that command is used."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

import click

from bskernel.cli.conclusion import conclude
from bskernel.cli.output import echo, print_note

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# Command -> its summary, so that `--help` imports no command. Each is a function in the module of its name.
COMMANDS = {
    "blueprint": "Exchange builds with Brainsmith, as blueprints (YAML).",
    "board": "Run a build's design on a board, and flash it.",
    "builds": "List, find and show builds of the past.",
    "bundle": "Pack a build into an archive for a bug report.",
    "calibrate": "Measure what layers take, for the folding to learn from.",
    "completion": "Complete commands, steps, builds and keys in your shell.",
    "diff": "Compare two builds, and check gates for CI.",
    "doctor": "Check tools, licences, Docker and disk space on this machine.",
    "down": "Stop warm sessions, even if builds are using them.",
    "explain": "Explain a failure, or describe one step of a build.",
    "export": "Write where a build comes from, or its timeline.",
    "images": "Manage the environments and images that executors run in.",
    "init": "Look at MODEL, and write a build.toml for it.",
    "lock": "Write what decides CONFIG's bytes to a lock file.",
    "new-executor": "Write the package of a new executor, with one example entry.",
    "plan": "Show what would run and why; nothing is executed.",
    "replay": "Run one step of a build again, alone, and keep its directory.",
    "report": "Write a page about a build or a sweep: how fast it is, and why.",
    "results": "Show a sweep's points, Pareto set and recommendation.",
    "run": "Build the accelerator of CONFIG; unchanged steps are recalled.",
    "schema": "Print the JSON Schema of build.toml, results or locks.",
    "steps": "List executors, or the entries of one with their parameters.",
    "store": "Manage the cache and the store that machines share.",
    "sweep": "Build every point of CONFIG's [sweep]; shared steps run once.",
    "trust": "Trust a project: the tools, stores and folders that it asks for.",
    "up": "Start warm sessions ahead of builds, and list all of them.",
    "verify": "Check a build directory, and build it again to compare.",
    "watch": "Serve the page of a build or sweep while it runs.",
}

# How `--help` groups them; the others manage what builds need.
GROUPS = {
    "Build": ("init", "run", "plan", "sweep", "calibrate"),
    "Prove": ("lock", "verify", "export"),
    "Look": ("report", "watch", "explain", "builds", "diff", "results", "replay", "bundle", "steps", "doctor"),
}


_QUIET = frozenset({"-q", "--quiet"})
_HELP = frozenset({"-h", "--help"})
_WITHOUT_CACHE = frozenset({"schema", "blueprint", "completion", "new-executor"})  # they use what the user names


class _LazyGroup(click.Group):
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if super().get_command(ctx, cmd_name) is None:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(importlib.import_module(f"bskernel.cli.{name}"), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the base's
        width = max(map(len, COMMANDS))
        grouped = {name for names in GROUPS.values() for name in names}
        rest = tuple(name for name in COMMANDS if name not in grouped)
        for title, names in (*GROUPS.items(), ("Manage", rest)):
            with formatter.section(title):
                # Equal widths, so that the summaries of all groups stand in one column.
                formatter.write_dl([(name.ljust(width), COMMANDS[name]) for name in names])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return [*found, *super(click.Group, self).shell_complete(ctx, incomplete)]


def _print_version(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from bskernel.commands.version import describe_version

        echo(describe_version())
        context.exit()


@click.group(
    cls=_LazyGroup,
    commands=[click.Command(name) for name in COMMANDS],  # placeholders
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and the commit, then exit.",
)
def cli() -> None:
    """Build FPGA accelerators from quantized neural networks with FINN+, step by step.

    Each step runs in an executor with pinned versions, and unchanged steps are recalled from the cache.

    Exit codes: 0 success, 2 wrong configuration or usage, 3 a step failed, 4 something is missing on this machine,
    5 a gate of `diff` failed or a repeated build does not reach its condition, 6 the project needs trust, 7 the build
    is not the locked one, 8 a build directory is damaged, 9 a second build made other bytes, 10 a build is not signed
    by the key, 70 a defect of bskernel, 130 interrupted.
    """
    command = click.get_current_context().invoked_subcommand
    if command not in _WITHOUT_CACHE and _HELP.isdisjoint(sys.argv):
        _sweep(listed=command == "doctor" or (command == "store" and "check" in sys.argv))


def _sweep(*, listed: bool) -> None:
    """Remove what killed processes have left in the cache, and say so; `listed` names each, and what stays."""
    from bskernel.images.environment import cache_folder
    from bskernel.workspace.leftovers import describe_removed, find_leftovers, remove_leftovers

    found = find_leftovers(cache_folder())
    removed = remove_leftovers(found)
    if removed and _QUIET.isdisjoint(sys.argv):
        print_note(describe_removed(removed))
    for item in found if listed else ():
        stays = "" if item in removed else ": stays; it is another user's, or its engine does not answer"
        print_note(f"  {item.text}{stays}")


def _terminate(signum: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt(signal.Signals(signum).name)


def main() -> None:
    """Run the command line; turn whatever is raised into one message and an exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:  # nohup ignores it
        signal.signal(signal.SIGHUP, _terminate)
    if "_BSKERNEL_COMPLETE" in os.environ:
        from bskernel.cli.shells import register_shells

        register_shells()
    try:
        cli(standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        sys.exit(conclude(KeyboardInterrupt()))
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the edge of the program
        sys.exit(conclude(error))
