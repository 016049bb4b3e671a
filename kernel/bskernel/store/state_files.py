"""The small files in which a cache keeps what it knows of itself: which of them are damaged or no files at all."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from bskernel.store.file_digests import FILES, is_damaged
from bskernel.store.generation import GENERATION, Generation
from bskernel.store.upload_journal import PENDING

_KEY = re.compile(r"[0-9a-f]{64}")
_CLAIMS = "claims"


def damaged_state(cache: Path) -> Iterator[str]:
    """Paths, in the cache, of damaged files that are made again when they are needed."""
    for name, damaged in ((GENERATION, Generation.is_damaged), (FILES, is_damaged)):
        if os.path.lexists(cache / name) and damaged(cache / name):
            yield name
    if os.path.lexists(cache / _CLAIMS) and not _is_plain(cache / _CLAIMS):
        yield _CLAIMS
    pending = cache / PENDING
    if os.path.lexists(pending) and not stat.S_ISDIR(os.lstat(pending).st_mode):
        yield PENDING
        return
    for path in sorted(pending.glob("*/*")):
        if not _KEY.fullmatch(path.name) or not _is_plain(path):
            yield str(path.relative_to(cache))


def _is_plain(path: Path) -> bool:
    return stat.S_ISREG(os.lstat(path).st_mode)
