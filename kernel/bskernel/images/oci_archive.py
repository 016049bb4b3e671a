"""Writes images as one archive that Docker, Podman, the tools of registries and Apptainer read.

The archive is an OCI image layout (oci-layout, index.json, blobs by digest) with Docker's manifest.json beside it,
which names the same blobs. Its bytes depend on the images alone: layers are not compressed, because what a compressor
writes depends on its version. Format: OCI image specification 1.0, image-layout.md; `docker save`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from bskernel.images.layer import EPOCH, ImageLayer, entry

_BLOBS = "blobs/sha256"
_CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
_INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
_CREATED = dt.datetime.fromtimestamp(EPOCH, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class ImageConfig(msgspec.Struct, frozen=True, kw_only=True):
    """What an image is besides its layers: its name for people, its configuration, the digests of its layers.

    The digest of `data` is the image's identifier. `listed` images are those that index.json names.
    """

    name: str
    data: bytes
    layers: tuple[str, ...]
    listed: bool = True

    @property
    def id(self) -> str:
        """The hexadecimal SHA-256 of the configuration, which holds the digests of the layers."""
        return _digest(self.data)


def make_config(
    name: str,
    layers: Sequence[tuple[str, str]],
    *,
    labels: Mapping[str, str],
    variables: Mapping[str, str],
    base: Mapping[str, Any],
    listed: bool = True,
) -> ImageConfig:
    """The image of these layers: (digest, where it comes from) each. `base` is the "config" of the image below."""
    below = dict(line.split("=", 1) for line in base.get("Env") or ())
    settings = dict(base)
    settings["Env"] = [f"{key}={value}" for key, value in sorted((below | dict(variables)).items())]
    settings["Labels"] = (base.get("Labels") or {}) | dict(labels)
    machine = os.uname().machine
    config = {
        "architecture": _ARCHITECTURES.get(machine, machine),
        "config": settings,
        "created": _CREATED,
        "history": [{"created": _CREATED, "created_by": f"bskernel: {origin}"} for _, origin in layers],
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest, _ in layers]},
    }
    return ImageConfig(name=name, data=_json(config), layers=tuple(digest for digest, _ in layers), listed=listed)


def archive_chunks(
    images: Sequence[ImageConfig], layers: Mapping[str, ImageLayer], *, for_engine: bool = False
) -> Iterator[bytes]:
    """The archive's bytes in order.

    Without the OCI layout if it is for an engine: Podman would take the listed images alone. A layer that such an
    archive lacks is one that the engine has already.
    """
    manifest = [
        {
            "Config": f"{_BLOBS}/{image.id}",
            "RepoTags": [_full(image.name)],
            "Layers": [f"{_BLOBS}/{digest}" for digest in image.layers],
        }
        for image in images
    ]
    blobs = {image.id: image.data for image in images}
    files = {"manifest.json": _json(manifest)}
    if not for_engine:
        listed = []
        for image in images:
            if image.listed:
                data = _oci_manifest(image, layers)
                blobs[_digest(data)] = data
                listed.append(_descriptor(_MANIFEST_TYPE, data) | {"annotations": _annotations(image.name)})
        files["index.json"] = _json({"schemaVersion": 2, "mediaType": _INDEX_TYPE, "manifests": listed})
        files["oci-layout"] = _json({"imageLayoutVersion": "1.0.0"})
    for name, data in sorted(files.items()):
        yield from _file(name, len(data), [data])
    for folder in ("blobs", _BLOBS):
        yield entry(folder, tarfile.DIRTYPE, 0o755).tobuf(tarfile.USTAR_FORMAT)
    for digest, data in sorted(blobs.items()):
        yield from _file(f"{_BLOBS}/{digest}", len(data), [data])
    for digest in dict.fromkeys(digest for image in images for digest in image.layers):
        if digest in layers:
            yield from _file(f"{_BLOBS}/{digest}", layers[digest].size, layers[digest].chunks())
    yield bytes(2 * tarfile.BLOCKSIZE)


def _file(name: str, size: int, chunks: Iterator[bytes] | list[bytes]) -> Iterator[bytes]:
    yield entry(name, tarfile.REGTYPE, 0o644, size=size).tobuf(tarfile.USTAR_FORMAT)
    yield from chunks
    yield bytes(-size % tarfile.BLOCKSIZE)


def _oci_manifest(image: ImageConfig, layers: Mapping[str, ImageLayer]) -> bytes:
    described = [
        {"mediaType": _LAYER_TYPE, "digest": f"sha256:{digest}", "size": layers[digest].size}
        for digest in image.layers
    ]
    manifest = {"schemaVersion": 2, "mediaType": _MANIFEST_TYPE}
    return _json(manifest | {"config": _descriptor(_CONFIG_TYPE, image.data), "layers": described})


def _descriptor(kind: str, data: bytes) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{_digest(data)}", "size": len(data)}


def _full(name: str) -> str:
    """The name with a registry: without one, Podman takes its own, and finds the image under no other."""
    return f"docker.io/{name}"


def _annotations(name: str) -> dict[str, str]:
    return {"org.opencontainers.image.ref.name": name, "io.containerd.image.name": _full(name)}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _json(value: object) -> bytes:
    return msgspec.json.encode(value, order="deterministic")
