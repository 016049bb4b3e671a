"""A layer of an image: a tar whose bytes depend on nothing but the names, modes and bytes of its files."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import msgspec

from bskernel.host.temporary import mark
from bskernel.images.recipe import CONSTANT

EPOCH = int(CONSTANT["SOURCE_DATE_EPOCH"])
_CHUNK = 1 << 20


class ImageLayer(msgspec.Struct, frozen=True, kw_only=True):
    """A layer's bytes in a file, uncompressed, from an offset on. `digest` is the hexadecimal SHA-256 of them."""

    digest: str
    size: int
    path: Path
    offset: int = 0

    def chunks(self) -> Iterator[bytes]:
        """The layer's bytes in order, a MiB at a time."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            left = self.size
            while left and (data := file.read(min(left, _CHUNK))):
                left -= len(data)
                yield data


class HashingFile(io.RawIOBase):
    """Passes on what is written, counts it and hashes it."""

    def __init__(self, target: IO[bytes]) -> None:
        self._target = target
        self._hash = hashlib.sha256()
        self._size = 0

    def writable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """The number of bytes so far."""
        return self._size

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Pass on and hash."""
        self._hash.update(data)
        self._size += len(data)
        self._target.write(data)
        return len(data)

    @property
    def digest(self) -> str:
        """The hexadecimal SHA-256 of what was written so far."""
        return self._hash.hexdigest()


def write_layer_file(folder: Path, fill: Callable[[IO[bytes]], None]) -> ImageLayer:
    """Write a layer to a new file in the folder; `fill` writes the tar."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix="layer-", suffix=mark(), delete=False) as file:
        hashing = HashingFile(file)
        fill(hashing)  # type: ignore[arg-type]
    return ImageLayer(digest=hashing.digest, size=hashing.tell(), path=Path(file.name))


def open_layer(target: IO[bytes]) -> tarfile.TarFile:
    """A layer's tar, to be written to the target."""
    return tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT)


def entry(name: str, kind: bytes, mode: int, *, target: str = "", size: int = 0) -> tarfile.TarInfo:
    """A tar entry that belongs to root and is as old as every other."""
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname, info.size, info.mtime = kind, mode, target, size, EPOCH
    return info


def add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    """Add a file that everybody can read."""
    archive.addfile(entry(name, tarfile.REGTYPE, 0o644, size=len(data)), io.BytesIO(data))


def add_folders(archive: tarfile.TarFile, *names: str) -> None:
    """Add folders."""
    for name in names:
        archive.addfile(entry(name, tarfile.DIRTYPE, 0o755))


def add_path(archive: tarfile.TarFile, name: str, path: Path) -> None:
    """Add one file, link or folder without what it contains. Of its mode, only whether it is executable counts."""
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        archive.addfile(entry(name, tarfile.SYMTYPE, 0o777, target=str(path.readlink())))
    elif stat.S_ISDIR(status.st_mode):
        add_folders(archive, name)
    elif stat.S_ISREG(status.st_mode):
        mode = 0o755 if status.st_mode & 0o100 else 0o644
        with path.open("rb") as file:
            # Always a file of its own: which files share an inode differs between machines.
            archive.addfile(entry(name, tarfile.REGTYPE, mode, size=status.st_size), file)


def leads_out(folder: Path, name: str) -> bool:
    """True for a name in a layer that is not below the folder: nothing is to be written through a link."""
    parent = (folder / name).parent.resolve()
    return os.path.normpath(name) != name or parent != folder.resolve() / Path(name).parent


def unpack_member(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> bool:
    """Unpack a file, folder or link of a layer in the place of what is there; False for anything else."""
    if member.isdir():
        target.mkdir(exist_ok=True)
        return True
    target.unlink(missing_ok=True)
    if member.issym():
        target.symlink_to(member.linkname)
        return True
    data = archive.extractfile(member) if member.isreg() else None
    if data is None:
        return False
    with target.open("xb") as file:
        shutil.copyfileobj(data, file)
    target.chmod(0o755 if member.mode & 0o100 else 0o644)
    return True
