"""Files of a folder with one bit changed, for a moment."""

import contextlib
import random
from collections.abc import Iterator
from pathlib import Path


def files_of(folder: Path) -> list[Path]:
    """All files of a folder, in order."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


@contextlib.contextmanager
def flipped(path: Path, chance: random.Random) -> Iterator[None]:
    """One bit of the file is another one, inside; an empty file has a byte."""
    before, mode = path.read_bytes(), path.stat().st_mode
    data = bytearray(before or b"\0")
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.chmod(0o600)
    path.write_bytes(data)
    path.chmod(mode)
    try:
        yield
    finally:
        path.chmod(0o600)
        path.write_bytes(before)
        path.chmod(mode)
