"""Small files of the cache that carry their own digest: a changed byte anywhere makes them unreadable, not wrong."""

from __future__ import annotations

import hashlib

_MAGIC = b"bskernel-sealed-1\n"
_HEADER = len(_MAGIC) + hashlib.sha256().digest_size
SEAL_BYTES = _HEADER  # what a seal adds to a file


def seal(name: str, body: bytes) -> bytes:
    """The bytes of a sealed file. `name` says which file it is, so that no file can stand for another."""
    return _MAGIC + _digest(name, body) + body


def unseal(name: str, data: bytes | None) -> bytes | None:
    """The body of a sealed file; None unless every byte is as it was written under that name."""
    if data is None or len(data) < _HEADER or not data.startswith(_MAGIC):
        return None
    body = data[_HEADER:]
    return body if data[len(_MAGIC) : _HEADER] == _digest(name, body) else None


def _digest(name: str, body: bytes) -> bytes:
    hasher = hashlib.sha256(f"{name}\0".encode())
    hasher.update(body)
    return hasher.digest()
