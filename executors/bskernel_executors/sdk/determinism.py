"""Make a step's bytes the same everywhere: random seeds, names of temporary files, HOME and TMPDIR."""

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
    """Replaces tempfile's random names by numbers, which are unique within a step's own TMPDIR."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return f"{next(self._numbers):08d}"


def import_random_generators() -> None:
    """Import numpy.random in the server, if numpy is there: numpy imports it lazily, and every step seeds it."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        importlib.import_module("numpy.random")


def make_deterministic(work: Path) -> None:
    """Seed the random generators and give this process its own HOME and TMPDIR under `work`."""
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
