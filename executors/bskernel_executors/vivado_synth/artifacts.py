"""A run's files as artifacts: without this machine's paths, names and dates, and without licences."""

from __future__ import annotations

import os
from pathlib import Path

from bskernel_executors.vivado_reports.portable import without_run


def portable(text: str, places: dict[str, str]) -> str:
    """The text with each of the `places`, paths of this machine, replaced by its name; the longest first."""
    for place in sorted(places, key=len, reverse=True):
        text = text.replace(place, places[place])
    return without_run(text)


def keep_texts(folder: Path, target: Path, names: tuple[str, ...], work: Path) -> None:
    """Copy those text files of a run that are there."""
    places = {str(work): "<work>", str(work.resolve()): "<work>"}
    if os.environ.get("XILINX_VIVADO"):
        places[os.environ["XILINX_VIVADO"]] = "<vivado>"
    target.mkdir()
    for name in names:
        path = folder / name
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            (target / name).write_text(portable(text, places), encoding="utf-8")
