"""Identifies the version of the code, which must be the same for a build and its workers."""

from __future__ import annotations

import functools
import platform
from pathlib import Path

import bskernel_protocol
from bskernel_protocol import Failure, canonical_bytes, digest_of_bytes, digest_of_file


@functools.cache
def code_digest() -> str:
    """The digest of all sources of the kernel and the protocol, wherever they are installed."""
    folders = (Path(__file__).parents[1], Path(bskernel_protocol.__file__).parent)
    files = [
        [folder.name, path.relative_to(folder).as_posix(), digest_of_file(path).sha256]
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.suffix in {".py", ".toml"}
    ]
    return digest_of_bytes(canonical_bytes(files)).sha256


def other_version(*, build: str, worker: str) -> Failure:
    """Why a worker on this machine runs no step of the build, by the digests of their sources."""
    return Failure(
        category="environment",
        message=f"the worker on {platform.node()} has another version of bskernel than the build: its sources are "
        f"{worker[:12]}, the build's {build[:12]}",
        hint="install the same bskernel there and restart the worker",
    )
