"""What makes a step's bytes the same everywhere: seeds, names of temporary files, and the child's surroundings."""

from __future__ import annotations

import importlib
import itertools
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path


class _CountedNames:
    """Replaces tempfile's random names by counted ones; they are unique within one step's own TMPDIR."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return f"{next(self._numbers):08d}"


def import_what_draws() -> None:
    """Import once in the server what each step seeds: numpy puts it off until it is used."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        importlib.import_module("numpy.random")


def make_deterministic(work: Path) -> None:
    """Seed what draws at random and give this process a HOME and a TMPDIR of its own under `work`."""
    home, temporary = work / "home", work / "tmp"
    home.mkdir(parents=True, exist_ok=True)
    temporary.mkdir(parents=True, exist_ok=True)
    os.environ["HOME"] = str(home)
    os.environ["TMPDIR"] = str(temporary)
    tempfile.tempdir = str(temporary)
    tempfile._name_sequence = _CountedNames()  # type: ignore[attr-defined]
    random.seed(0)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(0)
