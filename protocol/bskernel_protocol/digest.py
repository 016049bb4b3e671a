"""Digests: they identify bytes by SHA-256 and size."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

_HEX = re.compile(r"[0-9a-f]{64}")


class Digest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, order=True):
    """SHA-256 (64 lower-case hexadecimal digits) and size (bytes) of some bytes."""

    sha256: str
    size: int

    def __post_init__(self) -> None:
        if not _HEX.fullmatch(self.sha256):
            raise ValueError(f"not a SHA-256 in lower-case hexadecimal: {self.sha256!r}")
        if self.size < 0:
            raise ValueError(f"negative size: {self.size}")

    @property
    def short(self) -> str:
        """The first twelve digits, for people."""
        return self.sha256[:12]


def digest_of_bytes(data: bytes) -> Digest:
    """Return the digest of bytes in memory."""
    return Digest(sha256=hashlib.sha256(data).hexdigest(), size=len(data))


def digest_of_file(path: Path) -> Digest:
    """Return the digest of a file's bytes. Raises OSError if it cannot be read."""
    hasher = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            hasher.update(chunk)
            size += len(chunk)
    return Digest(sha256=hasher.hexdigest(), size=size)
