"""The command line."""

from bskernel.cli.commands import main

__all__ = ["main"]
