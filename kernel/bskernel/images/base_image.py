"""Finds the layers of a base: in the engine, in Debian's packages, or in an image that the engine pulls."""

from __future__ import annotations

import json
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bskernel.core.errors import EnvironmentLacking
from bskernel.images.base import Base
from bskernel.images.layer import ImageLayer, write_layer_file
from bskernel.images.recipe_image import BASE_LABEL, BaseLayers
from bskernel.images.recipe_layers import RecipeLayers

if TYPE_CHECKING:
    import docker

_KEPT = ("Cmd", "Entrypoint", "Env", "ExposedPorts", "Labels", "StopSignal", "User", "Volumes", "WorkingDir")


def layers_in_engine(base: Base, client: docker.APIClient) -> BaseLayers | None:
    """The base's layers if the engine has its image."""
    import docker

    try:
        image: dict[str, Any] = client.inspect_image(base.reference)  # type: ignore[no-untyped-call]
    except docker.errors.ImageNotFound:
        return None
    settings: dict[str, Any] = image["Config"] or {}
    if base.packages:
        if (settings.get("Labels") or {}).get(BASE_LABEL) != base.digest:
            return None
        settings = {}
    digests = tuple(digest.removeprefix("sha256:") for digest in image["RootFS"]["Layers"])
    return BaseLayers(digests=digests, settings={key: settings[key] for key in _KEPT if settings.get(key)})


def copy_base(client: docker.APIClient, base: Base, folder: Path) -> ImageLayer | None:
    """The layer of a base of Debian packages as the engine has it, copied into the folder; None if it has none."""
    found = layers_in_engine(base, client) if base.packages else None
    if found is None:
        return None
    written = _saved_layers(base.reference, folder, client)
    return written[0] if tuple(layer.digest for layer in written) == found.digests else None


def pull_base(base: Base, client: docker.APIClient, report: Callable[[str], None]) -> BaseLayers:
    """The layers of a registry's image, which the engine pulls unless it has it. Raises EnvironmentLacking."""
    import docker

    found = layers_in_engine(base, client)
    if found is None:
        report(f"pulling {base.name}")
        try:
            client.pull(base.name)
            found = layers_in_engine(base, client)
        except docker.errors.APIError as error:
            raise EnvironmentLacking(f"base {base.name}: the engine cannot pull it: {error.explanation}") from error
    if found is None:
        raise EnvironmentLacking(f"base {base.name}: the engine does not have it after pulling it")
    return found


def write_base(
    base: Base, layers: RecipeLayers, client: docker.APIClient | None, report: Callable[[str], None]
) -> tuple[BaseLayers, list[ImageLayer]]:
    """The base with the bytes of its layers. Raises EnvironmentLacking."""
    if base.packages:
        layer = layers.base(base)
        return BaseLayers(digests=(layer.digest,)), [layer]
    if client is None:
        raise EnvironmentLacking(
            f"base {base.name}: it is an image of a registry, and no Docker engine answers that could pull it"
        )
    found = pull_base(base, client, report)
    written = _saved_layers(base.reference, layers.folder, client)
    if tuple(layer.digest for layer in written) != found.digests:
        raise EnvironmentLacking(f"base {base.name}: the engine does not give its layers as they were pulled")
    return found, written


def _saved_layers(reference: str, folder: Path, client: docker.APIClient) -> list[ImageLayer]:
    """The layers of an image as the engine saves them."""
    with tempfile.TemporaryFile(dir=folder) as saved:
        for chunk in client.get_image(reference):
            saved.write(chunk)
        saved.seek(0)
        with tarfile.open(fileobj=saved) as archive:
            (described,) = json.load(_open(archive, "manifest.json"))
            return [_copy(archive, name, folder) for name in described["Layers"]]


def _open(archive: tarfile.TarFile, name: str) -> Any:
    return archive.extractfile(name)


def _copy(archive: tarfile.TarFile, name: str, folder: Path) -> ImageLayer:
    import shutil

    return write_layer_file(folder, lambda target: shutil.copyfileobj(_open(archive, name), target))
