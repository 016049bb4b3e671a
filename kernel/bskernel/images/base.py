"""The base image: Debian packages named by hash, unpacked into one layer without registry, root or scripts.

Debian's image tools run maintainer scripts, need root and produce different bytes each time. No executor needs what
the scripts set up (users, alternatives, certificates). A base is a folder docker/NAME with packages.lock.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from bskernel_protocol import canonical_bytes, digest_of_bytes

from bskernel.core.errors import ConfigError

_LAYOUT = 1  # incremented when the same lock yields a different layer


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """One line of packages.lock: the hash and size (bytes) of a .deb, and its path in Debian's archive."""

    sha256: str
    size: int
    path: str


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """The base of an executor's image: packages from a lock in docker/, or a registry's image by digest."""

    name: str
    digest: str
    packages: tuple[Package, ...] = ()

    @property
    def reference(self) -> str:
        """The image reference for `FROM`."""
        return f"bskernel/base:{self.digest[:16]}" if self.packages else self.name


def read_base(root: Path, name: str) -> Base:
    """Read the base that image.toml names. Raises ConfigError."""
    if "@" in name:
        _, _, digest = name.partition("@sha256:")
        if len(digest) != 64:
            raise ConfigError(f"base {name!r}: a registry's image must be given by digest: NAME@sha256:...")
        return Base(name=name, digest=digest)
    lock = root / "docker" / name / "packages.lock"
    if not lock.is_file():
        known = sorted(path.parent.name for path in (root / "docker").glob("*/packages.lock"))
        raise ConfigError(
            f"unknown base {name!r}: no such file: {lock}",
            hint=f"bases: {', '.join(known)}, or a registry's NAME@sha256:DIGEST",
        )
    packages = []
    for number, line in enumerate(lock.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            continue
        fields = line.split()
        if len(fields) != 3 or len(fields[0]) != 64 or not fields[1].isdigit():
            raise ConfigError(
                f"{lock}:{number}: expected SHA256 SIZE PATH", hint=f"regenerate it: docker/lock {name}"
            )
        packages.append(Package(sha256=fields[0], size=int(fields[1]), path=fields[2]))
    digest = digest_of_bytes(canonical_bytes([_LAYOUT, [package.sha256 for package in packages]])).sha256
    return Base(name=name, digest=digest, packages=tuple(packages))
