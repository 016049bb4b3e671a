"""The base image: Debian packages by their hashes, unpacked into one layer: no registry, no root, no scripts.

Debian's image tools run maintainer scripts, need root and give other bytes each time; what the scripts would set up
(users, alternatives, certificates) no executor needs. A base is a folder docker/NAME with packages.lock.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
from bskernel_protocol import canonical_bytes, digest_of_bytes

from bskernel.core.errors import ConfigError

_LAYOUT = 1  # counts up when the same lock is laid out otherwise


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """One line of packages.lock: a .deb by its hash, and where Debian's archive keeps it."""

    sha256: str
    size: int
    path: str


class Base(msgspec.Struct, frozen=True, kw_only=True):
    """What an executor's image is made on: packages of our own lock, or an image of a registry by digest."""

    name: str
    digest: str
    packages: tuple[Package, ...] = ()

    @property
    def reference(self) -> str:
        """What `FROM` takes."""
        return f"bskernel/base:{self.digest[:16]}" if self.packages else self.name


def read_base(root: Path, name: str) -> Base:
    """The base that image.toml names. Raises ConfigError."""
    if "@" in name:
        _, _, digest = name.partition("@sha256:")
        if len(digest) != 64:
            raise ConfigError(f"base {name!r}: an image of a registry is named by digest: NAME@sha256:...")
        return Base(name=name, digest=digest)
    lock = root / "docker" / name / "packages.lock"
    if not lock.is_file():
        known = sorted(path.parent.name for path in (root / "docker").glob("*/packages.lock"))
        raise ConfigError(
            f"base {name!r}: there is no {lock}",
            hint=f"bases: {', '.join(known)}, or NAME@sha256:DIGEST of a registry",
        )
    packages = []
    for number, line in enumerate(lock.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            continue
        fields = line.split()
        if len(fields) != 3 or len(fields[0]) != 64 or not fields[1].isdigit():
            raise ConfigError(
                f"{lock}:{number}: not a line of SHA256 SIZE PATH", hint=f"write it anew: docker/lock {name}"
            )
        packages.append(Package(sha256=fields[0], size=int(fields[1]), path=fields[2]))
    digest = digest_of_bytes(canonical_bytes([_LAYOUT, [package.sha256 for package in packages]])).sha256
    return Base(name=name, digest=digest, packages=tuple(packages))
