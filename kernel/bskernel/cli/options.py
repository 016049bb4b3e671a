"""Options and arguments that several commands have."""

from __future__ import annotations

import os
from pathlib import Path

import click

CONFIG = click.argument("config", type=click.Path(path_type=Path))
RUNTIME = click.option(
    "--runtime",
    type=click.Choice(["auto", "docker", "process"]),
    default="auto",
    envvar="BSKERNEL_RUNTIME",
    show_default=True,
    show_envvar=True,
    help="Where executors run; auto takes docker when an engine answers, and says so.",
)
SET = click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a key of the config.")
OUTPUT = click.option("--output", type=click.Path(path_type=Path), help="Build directory.")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output.")
JOBS = click.option(
    "-j", "--jobs", type=click.IntRange(min=1), help="Steps at once; limits.jobs, or one per processor."
)
FRESH = click.option("--fresh", is_flag=True, help="Run every step, even where its result is in the cache.")
VERBOSE = click.option(
    "-v", "--verbose", is_flag=True, help="Show the log, with what the steps print, instead of a bar."
)

INTERRUPTED = "interrupted: every process of the build has ended; the cache is usable"


def has_cursor() -> bool:
    """Can standard error show a bar?"""
    import sys

    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
