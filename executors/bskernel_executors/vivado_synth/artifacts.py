"""Turn a run's files into artifacts: without this machine's paths and names, without dates and licences."""

from __future__ import annotations

import os
from pathlib import Path

from bskernel_executors.vivado_reports.redaction import redact_text


def make_portable(text: str, placeholders: dict[str, str]) -> str:
    """Replace paths of this machine by their placeholders, the longest path first, and redact the rest."""
    for path in sorted(placeholders, key=len, reverse=True):
        text = text.replace(path, placeholders[path])
    return redact_text(text)


def copy_texts(folder: Path, target: Path, names: tuple[str, ...], work: Path) -> None:
    """Copy the text files of a run that exist."""
    placeholders = {str(work): "<work>", str(work.resolve()): "<work>"}
    if os.environ.get("XILINX_VIVADO"):
        placeholders[os.environ["XILINX_VIVADO"]] = "<vivado>"
    target.mkdir()
    for name in names:
        path = folder / name
        if path.is_file():
            text = path.read_text(encoding="utf-8", errors="replace")
            (target / name).write_text(make_portable(text, placeholders), encoding="utf-8")
