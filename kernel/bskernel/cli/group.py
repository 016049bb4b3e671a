"""The command `bskernel`: it loads the module of a command when that command is used."""

from __future__ import annotations

import importlib
import signal
import sys
from typing import NoReturn

import click

from bskernel.cli.output import INTERRUPTED
from bskernel.core.errors import EXIT_INTERRUPTED, BskernelError

# Each is a function in the module of its name.
COMMANDS = (
    "blueprint",
    "bundle",
    "diff",
    "doctor",
    "down",
    "explain",
    "images",
    "plan",
    "replay",
    "results",
    "run",
    "schema",
    "steps",
    "store",
    "sweep",
    "up",
)


class _LazyGroup(click.Group):
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if super().get_command(ctx, cmd_name) is None:
            return None
        command: click.Command = getattr(importlib.import_module(f"bskernel.cli.{cmd_name}"), cmd_name)
        return command


@click.group(
    cls=_LazyGroup,
    commands=[click.Command(name) for name in COMMANDS],  # placeholders
    context_settings={"help_option_names": ["-h", "--help"]},
)
def cli() -> None:
    """Build FPGA accelerators from quantized neural networks with FINN+, step by step.

    Each step runs in an executor with pinned versions, and unchanged steps are recalled from the cache.

    Exit codes: 0 success, 2 wrong configuration or usage, 3 a step failed, 4 something is missing on this machine,
    5 a gate of `diff` failed, 130 interrupted.
    """


def _terminate(signum: int, _frame: object) -> NoReturn:
    raise KeyboardInterrupt(signal.Signals(signum).name)


def main() -> None:
    """Run the command line; turn an error into one message and an exit code."""
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
