"""Archives of images as files: written whole or not at all, and read without trusting them."""

from __future__ import annotations

import contextlib
import hashlib
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from bskernel.core.errors import ConfigError
from bskernel.host.temporary import mark
from bskernel.images.container_image import ImageContent
from bskernel.images.layer import ImageLayer
from bskernel.images.oci_archive import archive_chunks
from bskernel.images.recipe_image import EXECUTOR_LABEL, VERSION_LABEL

_MOST_JSON = 16 << 20  # bytes of an index, manifest or configuration
T = TypeVar("T")


class Descriptor(msgspec.Struct, frozen=True):
    """What OCI calls a descriptor: the digest and size of a blob."""

    digest: str
    size: int

    @property
    def sha256(self) -> str:
        """The hexadecimal digest."""
        return self.digest.removeprefix("sha256:")


class _Index(msgspec.Struct, frozen=True):
    manifests: tuple[Descriptor, ...]


class _Manifest(msgspec.Struct, frozen=True):
    config: Descriptor
    layers: tuple[Descriptor, ...]


class _Settings(msgspec.Struct, frozen=True):
    Labels: dict[str, str] = {}


class _RootFs(msgspec.Struct, frozen=True):
    diff_ids: tuple[str, ...]


class _Config(msgspec.Struct, frozen=True):
    config: _Settings
    rootfs: _RootFs


class StoredImage(msgspec.Struct, frozen=True, kw_only=True):
    """An executor's image in an archive: its configuration, its labels, and its layers, lowest first."""

    data: bytes
    labels: dict[str, str]
    layers: tuple[ImageLayer, ...]

    @property
    def executor(self) -> str:
        """NAME@VERSION."""
        return f"{self.labels.get(EXECUTOR_LABEL)}@{self.labels.get(VERSION_LABEL)}"


def write_archive(path: Path, contents: Sequence[ImageContent]) -> int:
    """Write the images into one archive, layers that they share once; returns its size in bytes. Raises OSError."""
    images = {image.name: image for content in contents for image in content.images}
    layers = {digest: layer for content in contents for digest, layer in content.layers.items()}
    temporary = path.with_name(f".{path.name}{mark()}")
    try:
        with temporary.open("xb") as file:
            for chunk in archive_chunks(tuple(images.values()), layers):
                file.write(chunk)
            size = file.tell()
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return size


class _ArchiveReader:
    def __init__(self, path: Path, archive: tarfile.TarFile) -> None:
        self._path = path
        self._files = {member.name: (member.offset_data, member.size) for member in archive if member.isreg()}

    def file(self, name: str) -> ImageLayer:
        """A file of the archive. Raises ConfigError if there is none."""
        if name not in self._files:
            raise ConfigError(
                f"{self._path}: not an archive of images: it has no {name}",
                hint="write one: bskernel images export -o FILE.tar",
            )
        offset, size = self._files[name]
        return ImageLayer(digest=name.rpartition("/")[2], size=size, path=self._path, offset=offset)

    def blob(self, descriptor: Descriptor) -> ImageLayer:
        """The blob of a descriptor, with its bytes compared with its digest. Raises ConfigError."""
        found = self.file(f"blobs/sha256/{descriptor.sha256}")
        digest = hashlib.sha256()
        for chunk in found.chunks():
            digest.update(chunk)
        if digest.hexdigest() != descriptor.sha256:
            raise ConfigError(
                f"{self._path}: damaged: blob {descriptor.sha256} has other bytes than its digest says",
                hint="copy or export it again",
            )
        return found

    def decode(self, found: ImageLayer, kind: type[T]) -> tuple[T, bytes]:
        """A JSON file of the archive, and its bytes. Raises ConfigError."""
        if found.size > _MOST_JSON:
            raise ConfigError(f"{self._path}: {found.digest} is too large for JSON of an image: {found.size} bytes")
        data = b"".join(found.chunks())
        try:
            return msgspec.json.decode(data, type=kind), data
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{self._path}: {found.digest}: {error}") from error

    def images(self) -> Iterator[StoredImage]:
        """The images that the index lists."""
        index, _ = self.decode(self.file("index.json"), _Index)
        checked: dict[str, ImageLayer] = {}
        for listed in index.manifests:
            manifest, _ = self.decode(self.blob(listed), _Manifest)
            config, data = self.decode(self.blob(manifest.config), _Config)
            for layer in manifest.layers:
                if layer.digest not in checked:
                    checked[layer.digest] = self.blob(layer)
            if config.rootfs.diff_ids != tuple(layer.digest for layer in manifest.layers):
                raise ConfigError(f"{self._path}: image {manifest.config.sha256[:12]}: its layers are compressed")
            layers = tuple(checked[layer.digest] for layer in manifest.layers)
            yield StoredImage(data=data, labels=config.config.Labels, layers=layers)


def read_archive(path: Path) -> tuple[StoredImage, ...]:
    """The executors' images in an archive, every blob compared with its digest. Raises ConfigError."""
    try:
        with contextlib.closing(tarfile.open(path, mode="r:")) as archive:
            return tuple(_ArchiveReader(path, archive).images())
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise ConfigError(
            f"{path}: not an archive of images: {error}", hint="write one: bskernel images export -o FILE.tar"
        ) from error
