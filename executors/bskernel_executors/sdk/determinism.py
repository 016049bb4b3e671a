"""Make a step's bytes the same everywhere: random seeds, names of temporary files, HOME and TMPDIR.

Libraries draw names of tensors at random. Steps of one build must draw different ones, because a later step meets the
names of an earlier step; but the same step must draw the same ones on every machine, in every build and in either
runtime. So the seed is made of what the step does and of what it takes, and of nothing else.
"""

from __future__ import annotations

import importlib
import itertools
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bskernel_protocol import StepManifest, canonical_bytes, digest_of_bytes


class _CountedNames:
    """Replaces tempfile's random names by numbers, which are unique within a step's own TMPDIR."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return f"{next(self._numbers):08d}"


def prepare_generators() -> None:
    """Do in the server what every step would do before it seeds: import numpy.random, set up digests and generators.

    numpy, if it is there, imports it lazily.
    """
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        importlib.import_module("numpy.random")
    seed_generators(bytes.fromhex(digest_of_bytes(b"").sha256))


def make_deterministic(work: Path) -> None:
    """Give this process its own HOME and TMPDIR under `work`, and number its temporary files."""
    home, temporary = (f"{work}/{name}" for name in ("home", "tmp"))
    for folder in (home, temporary):
        if not os.path.isdir(folder):  # noqa: PTH112 - half the time of pathlib's mkdir
            os.makedirs(folder, exist_ok=True)  # noqa: PTH103
    os.environ["HOME"] = home
    os.environ["TMPDIR"] = temporary
    tempfile.tempdir = temporary
    tempfile._name_sequence = _CountedNames()  # type: ignore[attr-defined]


def find_seed(manifest: StepManifest) -> bytes:
    """Return the seed of a step: 32 bytes that depend on executor, entry, parameters and the inputs' content.

    Neither the step's name nor its place in the build is part of it, because a recalled result has neither; nor are
    the executor's version and code, so that names stay when they change.
    """
    inputs = {artifact.name: artifact.digest for artifact in manifest.inputs}
    content = {"executor": manifest.executor, "entry": manifest.entry, "parameters": manifest.parameters}
    return bytes.fromhex(digest_of_bytes(canonical_bytes({**content, "inputs": inputs})).sha256)


def seed_generators(seed: bytes) -> None:
    """Seed the random generators of Python and, if it is there, of numpy."""
    random.seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed([int.from_bytes(seed[at : at + 4], "little") for at in range(0, len(seed), 4)])
