"""What commands print and write."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import click

from bskernel.core.errors import ConfigError
from bskernel.core.places import place_lacking

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")


def print_note(text: str) -> None:
    """Print a remark on standard error, so that standard output holds the result alone."""
    click.echo(text, err=True)


def print_result(result: T, describe: Callable[[T], str], *, as_json: bool) -> None:
    """Print a result on standard output: as JSON, or as `describe` puts it for people."""
    from bskernel_protocol import pretty_json

    text = pretty_json(result) if as_json else describe(result)
    click.echo(text, nl=not text.endswith("\n"))


def write_file(path: Path, data: bytes) -> None:
    """Raises ConfigError, EnvironmentLacking when the file cannot be written."""
    try:
        path.write_bytes(data)
    except OSError as error:
        named = OSError(error.errno, error.strerror, str(path))
        raise place_lacking(named) or ConfigError(f"{path}: cannot be written: {error.strerror}") from error


def has_cursor() -> bool:
    """True when standard error can show a progress bar."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
