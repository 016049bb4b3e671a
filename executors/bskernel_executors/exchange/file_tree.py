"""The files of a folder as a value: relative path -> bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def read_files(folder: Path) -> dict[str, bytes]:
    """Read all files below a folder, in the order of their paths."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files below a folder, with the folders that they need."""
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
