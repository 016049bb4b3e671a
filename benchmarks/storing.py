"""How fast bytes go into the store and out of it: 1 GiB in one file and in 16,384."""

from __future__ import annotations

import functools
import random
import shutil
from pathlib import Path

from bskernel.store import DiskStore
from bskernel_protocol import Artifact
from measuring import After, Row, medians

SIZE = 1 << 30


def _tree(folder: Path, count: int) -> Path:
    folder.mkdir(parents=True)
    size = SIZE // count
    block = random.Random(0).randbytes(min(size, 1 << 20))
    for at in range(count):
        with (folder / f"{at:05d}").open("wb") as file:
            for part in range(size // len(block)):
                file.write((at * size + part).to_bytes(8, "little") + block[8:])
    return folder


def _capture(tree: Path, store: Path) -> Artifact:
    return DiskStore(store).capture(tree, "t", "tree", "application/octet-stream")


def _lay(artifact: Artifact, store: Path, target: Path, *, read_only: bool) -> None:
    if not DiskStore(store).materialise(artifact, target, read_only=read_only):
        raise RuntimeError("the store has lost what it was given")


def store(folder: Path, runs: int) -> list[Row]:
    """The part: captured, captured again, laid out as a copy, laid out read-only."""
    rows = []
    for count in (1, 16_384):
        tree, kept, laid = _tree(folder / f"tree-{count}", count), folder / f"store-{count}", folder / "laid"
        artifact = _capture(tree, kept)
        remove = functools.partial(shutil.rmtree, ignore_errors=True)
        anew, again = functools.partial(remove, kept), functools.partial(remove, laid)
        take = functools.partial(_capture, tree, kept)
        taken = medians(
            {
                "captured": After(anew, take),
                "captured again": take,
                "laid out, copied": After(again, functools.partial(_lay, artifact, kept, laid, read_only=False)),
                "laid out, read-only": After(again, functools.partial(_lay, artifact, kept, laid, read_only=True)),
            },
            runs,
        )
        rows += [
            Row(group=f"store, 1 GiB in {count} files", what=what, value=1024 / value, unit="MiB/s", runs=runs)
            for what, value in taken.items()
        ]
        for path in (tree, kept, laid):
            shutil.rmtree(path)
    return rows
