"""Libraries whose source is the one that something here was written for, told by the digests of their files."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path


def has_source(folder: Path, digests: Mapping[str, str]) -> bool:
    """True when each file, by its path below the folder, has its SHA-256."""
    return all(digest_of(folder / name) == digest for name, digest in digests.items())


def find_package(name: str) -> Path | None:
    """The folder of an installed package, which is not imported; None without one."""
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin is not None else None


def digest_of(file: Path) -> str:
    """The SHA-256 of a file; nothing where there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
