"""Makes a base: downloads its packages, verifies their hashes, and unpacks them into one layer."""

from __future__ import annotations

import hashlib
import http.client
import io
import os
import tarfile
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from bskernel.core.errors import EnvironmentLacking
from bskernel.host.temporary import mark
from bskernel.images.base import Package

_MIRROR = "https://deb.debian.org/debian"
_MERGED = ("bin", "lib", "lib32", "lib64", "libx32", "sbin")
_EXCLUDED = ("usr/share/man/", "usr/share/info/", "usr/share/lintian/", "usr/share/locale/", "usr/share/bug/")
_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
}


def _mirrors() -> tuple[str, ...]:
    named = os.environ.get("BSKERNEL_DEBIAN_MIRROR")
    return (named.rstrip("/"),) if named else (_MIRROR,)


def fetch_package(package: Package, cache: Path) -> Path:
    """The path of the .deb, from the cache or a mirror, with its hash verified. Raises EnvironmentLacking.

    BSKERNEL_DEBIAN_MIRROR names another mirror, SSL_CERT_FILE a private certificate authority.
    """
    path = cache / "packages" / f"{package.sha256}.deb"
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == package.sha256:
        return path
    reasons = []
    for mirror in _mirrors():
        url = f"{mirror}/{urllib.parse.quote(package.path)}"
        try:
            with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - the user names the mirror
                data = answer.read(package.size + 1)
        except (OSError, http.client.HTTPException) as error:
            reasons.append(f"{url}: {error}")
            continue
        if hashlib.sha256(data).hexdigest() != package.sha256:
            reasons.append(f"{url}: its SHA-256 differs from the one in the lock")
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=mark(), delete=False) as file:
            file.write(data)
        Path(file.name).replace(path)
        return path
    raise EnvironmentLacking(
        f"cannot download a package of the base image: {'; '.join(reasons)}",
        hint="set BSKERNEL_DEBIAN_MIRROR to a mirror that has it, or regenerate the lock",
    )


def members_of(deb: bytes) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """The files that a .deb (an ar archive) installs, from its data.tar. Raises ValueError if it is not a .deb."""
    if not deb.startswith(b"!<arch>\n"):
        raise ValueError("not a Debian package: not an ar archive")
    at = 8
    while at + 60 <= len(deb):
        name, size = deb[at : at + 16].decode("ascii").rstrip(" /"), int(deb[at + 48 : at + 58])
        at += 60
        if name.startswith("data.tar"):
            with tarfile.open(fileobj=io.BytesIO(deb[at : at + size]), mode="r:*") as archive:
                for member in archive:
                    yield member, archive.extractfile(member) if member.isfile() else None
            return
        at += size + size % 2
    raise ValueError("not a Debian package: it has no data.tar")


def _merged_path(name: str) -> str:
    """The path of a package's entry where /bin, /lib... are links into /usr, as in Debian 12."""
    name = name.removeprefix("./").rstrip("/")
    return f"usr/{name}" if name.split("/", 1)[0] in _MERGED else name


def _is_needed(name: str) -> bool:
    is_document = name.startswith("usr/share/doc/") and not name.endswith("/copyright")
    return bool(name) and not is_document and not f"{name}/".startswith(_EXCLUDED)


def _entry(name: str, kind: bytes, mode: int, *, target: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname, info.size = kind, mode, target, size
    return info


def write_layer(debs: Iterator[bytes], target: IO[bytes]) -> None:
    """Write one layer of all packages as a tar: the same packages in the same order give the same bytes."""
    seen: set[str] = set()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as layer:
        for name in (*_MERGED, "tmp", "root", "bskernel", "bskernel/steps", "bskernel/inputs", "etc"):
            if name in _MERGED:
                layer.addfile(_entry(f"usr/{name}", tarfile.DIRTYPE, 0o755))
                layer.addfile(_entry(name, tarfile.SYMTYPE, 0o777, target=f"usr/{name}"))
            else:
                layer.addfile(_entry(name, tarfile.DIRTYPE, 0o1777 if name == "tmp" else 0o755))
            seen |= {name, f"usr/{name}"}
        for name, text in _ACCOUNTS.items():
            layer.addfile(_entry(name, tarfile.REGTYPE, 0o644, size=len(text)), io.BytesIO(text.encode()))
            seen.add(name)
        for deb in debs:
            for member, data in members_of(deb):
                name = _merged_path(member.name)
                if not _is_needed(name) or name in seen:
                    continue
                seen.add(name)
                info = _entry(name, member.type, member.mode, target=member.linkname, size=member.size)
                info.mtime = int(member.mtime)
                if member.islnk():
                    info.linkname = _merged_path(member.linkname)
                layer.addfile(info, data)
