"""Throughput of the store in both directions: 1 GiB in one file and in 16,384 files."""

from __future__ import annotations

import functools
import random
import shutil
from pathlib import Path

from bskernel.store import DiskStore
from bskernel_protocol import Artifact
from measurement import After, Row, medians

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
        raise RuntimeError("the store lost an artifact")


def store(folder: Path, runs: int) -> list[Row]:
    """The part: captured, captured again, laid out as a copy, laid out read-only."""
    rows = []
    for count in (1, 16_384):
        tree, kept, laid = _tree(folder / f"tree-{count}", count), folder / f"store-{count}", folder / "laid"
        artifact = _capture(tree, kept)
        remove = functools.partial(shutil.rmtree, ignore_errors=True)
        clear_store, clear_copy = functools.partial(remove, kept), functools.partial(remove, laid)
        take, lay = functools.partial(_capture, tree, kept), functools.partial(_lay, artifact, kept, laid)
        taken = medians(
            {
                "captured": After(clear_store, take),
                "captured again": take,
                "laid out, copied": After(clear_copy, functools.partial(lay, read_only=False)),
                "laid out, read-only": After(clear_copy, functools.partial(lay, read_only=True)),
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
