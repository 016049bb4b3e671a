"""What commands print and write."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import click

from bskernel.core.errors import ConfigError
from bskernel.core.places import place_lacking
from bskernel.core.visible_text import visible
from bskernel.report.colours import paint, wants_colours
from bskernel.report.styled_text import Line, render_line

if TYPE_CHECKING:
    from pathlib import Path

T = TypeVar("T")


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print on standard output, or error. Everything that commands print passes here, and is harmless afterwards.

    Names, messages and numbers come from files, steps and tools, which may hold what a terminal obeys.
    """
    stream = sys.stderr if err else sys.stdout
    click.echo(paint(visible(text), stream), err=err, nl=nl, color=wants_colours(stream))


def print_note(text: str) -> None:
    """Print a remark on standard error, so that standard output holds the result alone."""
    echo(text, err=True)


def print_result(result: T, describe: Callable[[T], str], *, as_json: bool) -> None:
    """Print a result on standard output: as JSON, or as `describe` puts it for people."""
    from bskernel_protocol import pretty_json

    text = pretty_json(result) if as_json else describe(result)
    echo(text, nl=not text.endswith("\n"))


class Summary(Protocol):
    """How something ended, for a person at a terminal."""

    def __call__(self, columns: int, here: Path, *, unicode: bool) -> Sequence[Line]:
        """Its lines in so many columns, with paths as they are seen from `here`."""


def print_summary(describe: Summary) -> None:
    """Print styled lines on standard output, harmless like all that `echo` prints."""
    import shutil
    from pathlib import Path

    coloured = wants_colours(sys.stdout)
    lines = describe(shutil.get_terminal_size().columns, Path.cwd(), unicode=_has_box_characters())
    shown = (tuple((visible(text), style) for text, style in line) for line in lines)
    click.echo("\n".join(render_line(line, coloured=coloured) for line in shown), color=coloured)


def write_text(path: Path, text: str) -> None:
    """Write a text file, harmless for terminals. Raises ConfigError when it cannot be written."""
    write_file(path, visible(text).encode())


def write_file(path: Path, data: bytes) -> None:
    """Write a file. Raises ConfigError, EnvironmentLacking when it cannot be written.

    Raises ConfigError when it is a link: a project could lead it to any file.
    """
    refuse_link(path)
    try:
        path.write_bytes(data)
    except OSError as error:
        named = OSError(error.errno, error.strerror, str(path))
        raise place_lacking(named) or ConfigError(f"{path}: cannot be written: {error.strerror}") from error


def require_writable(path: Path) -> None:
    """Raise ConfigError for a file that cannot be written, before the work that it is for."""
    refuse_link(path)
    if path.is_dir():
        raise ConfigError(f"{path}: cannot be written: it is a folder")
    if not path.parent.is_dir():
        raise ConfigError(f"{path}: cannot be written: there is no folder {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ConfigError(f"{path}: cannot be written: permission denied")


def refuse_link(path: Path) -> None:
    """Raise ConfigError for a file to write that is a link; /dev/stdout is one."""
    if path.is_symlink() and not path.is_relative_to("/dev"):
        raise ConfigError(f"{path} is a link to {path.readlink()}", hint="remove it, or name another file")


def has_cursor() -> bool:
    """True when standard error can show a progress bar."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def has_reader() -> bool:
    """True when standard output is a terminal, which a person reads; pipes, files and TERM=dumb get plain lines."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def _has_box_characters() -> bool:
    """True when standard output can show the lines of boxes and the micro sign."""
    try:
        "\N{BOX DRAWINGS LIGHT ARC DOWN AND RIGHT}\N{MICRO SIGN}".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
