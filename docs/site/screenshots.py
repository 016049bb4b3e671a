"""Draws docs/images/*.svg: what a terminal shows after real commands. `make screenshots` runs them again."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

ROOT = Path(__file__).parents[2]
IMAGES = ROOT / "docs" / "images"
PROGRAM = Path(sys.executable).with_name("bskernel")
COLUMNS, LINES = 104, 80
# Picture -> what is typed, in a folder with the digits network and its build.toml. The build that shows how steps run
# is fresh, so that it does not depend on what this machine has cached.
PICTURES = {
    "run": ["bskernel", "run", "--fresh"],
    "error": ["bskernel", "run", "--set", "target.board=ZCU1O4"],
}


def run_on_terminal(command: list[str], folder: Path) -> list[Text]:
    """The lines that a terminal shows when the command has ended."""
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.ByteStream(screen)
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "GITHUB_ACTIONS"}}
    environment |= {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS), "LINES": str(LINES)}
    words = [str(PROGRAM), *command[1:]]
    with subprocess.Popen(words, cwd=folder, stdin=theirs, stdout=theirs, stderr=theirs, env=environment):
        os.close(theirs)
        while data := _read(ours):
            stream.feed(data)
    os.close(ours)
    lines = [_line(screen.buffer[at]) for at in range(LINES)]
    while lines and not lines[-1].plain.strip():
        lines.pop()
    return lines


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side was closed
        return b""


def _line(cells: dict[int, pyte.screens.Char]) -> Text:
    text = Text()
    for at in range(COLUMNS):
        cell = cells[at]
        color = None if cell.fg == "default" else _color(cell.fg)
        text.append(cell.data, Style(color=color, bold=cell.bold or None, italic=cell.italics or None))
    text.rstrip()
    return text


def _color(name: str) -> str:
    """The color for rich: pyte names eight, and writes others as hexadecimal numbers."""
    return f"#{name}" if re.fullmatch(r"[0-9a-f]{6}", name) else {"brown": "yellow"}.get(name, name)


def draw(name: str, command: list[str], folder: Path) -> str:
    """The picture of a command and what it shows."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.assemble(("$ ", "bold green"), " ".join(command)))
    for line in run_on_terminal(command, folder):
        console.print(line, soft_wrap=True)
    picture = console.export_svg(title=" ".join(command[:2]), unique_id=name)
    return re.sub(r"\s*@font-face \{.*?\}", "", picture, flags=re.DOTALL)  # fonts of another host


def main() -> None:
    """Draw the pictures whose names are given, or all."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="net-") as place:
        folder = Path(place) / "digits"
        shutil.copytree(ROOT / "examples" / "digits", folder, ignore=shutil.ignore_patterns("build"))
        for name in sys.argv[1:] or PICTURES:
            (IMAGES / f"{name}.svg").write_text(draw(name, PICTURES[name], folder), encoding="utf-8")


if __name__ == "__main__":
    main()
