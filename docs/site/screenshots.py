"""Draws docs/images: what a terminal shows after real commands, and the pages of real builds in Chromium.

`make screenshots` runs all of them again.
"""

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
from typing import NamedTuple

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


class Photo(NamedTuple):
    """A page of a build or a sweep: what it is built from, and what of the page is seen."""

    config: str
    example: str = "digits"
    command: str = "run"
    more: str = ""  # appended to the configuration
    flow: str = ""  # in place of the configuration's
    settings: tuple[str, ...] = ()  # of --set, for the build that it is compared with
    part: str = ""  # the id of the only section that is seen; empty for the whole page
    height: int = 800  # px


SMALL_PART = """
[[flow.edit.insert]]
after = "metrics"
entry = "metrics:headroom"
parameters = { limit = 0.004, on_excess = "fail" }
"""
PAGES = {
    "report": Photo(config="open.toml", height=1240),
    "report-cnn": Photo(config="build.toml", example="cnv", flow="estimate", height=1150),
    "report-sweep": Photo(config="sweep.toml", command="sweep", height=1520),
    "report-failed": Photo(config="build.toml", more=SMALL_PART, height=575),
    "report-changes": Photo(config="build.toml", settings=("target.target_fps=50000",), part="changes", height=900),
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


def photograph(name: str, folder: Path) -> None:
    """Build, write the page and take its picture. The steps may come from the cache: the page says so."""
    photo = PAGES[name]
    folder = _example(photo.example, folder)
    path = folder / f"{name}.toml"
    path.write_text(f"{(folder / photo.config).read_text(encoding='utf-8')}\n{photo.more}", encoding="utf-8")
    flow = ["--set", f"build.flow={photo.flow}"] if photo.flow else []
    run = [str(PROGRAM), photo.command, str(path), *flow, "--quiet", "--output"]
    subprocess.run([*run, f"build/{name}"], cwd=folder, check=False)
    against = []
    if photo.settings:
        base = [*run, "build/main", *(word for setting in photo.settings for word in ("--set", setting))]
        subprocess.run(base, cwd=folder, check=True)
        against = ["--against", "build/main"]
    subprocess.run([str(PROGRAM), "report", f"build/{name}", *against], cwd=folder, check=True)
    page = folder / "page.html"
    text = (folder / "build" / name / "report.html").read_text(encoding="utf-8")
    if photo.part:
        text = re.sub(rf'<section id="(?!{photo.part}")[^"]*".*?</section>', "", text, flags=re.DOTALL)
    page.write_text(text, encoding="utf-8")
    call = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars",
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size=1280,{photo.height}", f"--screenshot={IMAGES / name}.png", page.as_uri()]  # fmt: skip
    subprocess.run(call, check=True, capture_output=True)


def _example(name: str, folder: Path) -> Path:
    """A copy of an example in the folder, made once."""
    copy = folder / name
    if not copy.exists():
        shutil.copytree(ROOT / "examples" / name, copy, ignore=shutil.ignore_patterns("build"))
    return copy


def main() -> None:
    """Draw the pictures whose names are given, or all."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="net-") as place:
        folder = Path(place)
        for name in sys.argv[1:] or (*PICTURES, *PAGES):
            if name in PAGES:
                photograph(name, folder)
            else:
                (IMAGES / f"{name}.svg").write_text(
                    draw(name, PICTURES[name], _example("digits", folder)), encoding="utf-8"
                )


if __name__ == "__main__":
    main()
