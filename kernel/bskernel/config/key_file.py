"""Reads key files: PEM, named by the user."""

from __future__ import annotations

from pathlib import Path

from bskernel.config.reader import read_bytes
from bskernel.core.signature import PublicKey, SigningKey, read_public_key, read_signing_key

_LARGEST = 1 << 20  # bytes of a key file


def load_signing_key(path: Path) -> SigningKey:
    """The private key in a file. Raises ConfigError, EnvironmentLacking."""
    return read_signing_key(read_bytes(path, most=_LARGEST), str(path))


def load_public_key(path: Path) -> PublicKey:
    """The public key in a file. Raises ConfigError, EnvironmentLacking."""
    return read_public_key(read_bytes(path, most=_LARGEST), str(path))
