"""The image of a container that is created and never started: one empty file, the same on every machine."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

from bskernel.images.container_image import ImageContent, find_image, load
from bskernel.images.layer import add_bytes, open_layer, write_layer_file
from bskernel.images.oci_archive import make_config

if TYPE_CHECKING:
    import docker

PROGRAM = "/probe"
_NAME = "bskernel/probe:1"


def ensure_probe(client: docker.APIClient) -> str:
    """The identifier of the image, which is loaded unless the engine has it. Raises EnvironmentLacking."""
    identifier = find_image(client, _NAME, {})[1]
    if identifier:
        return identifier
    with tempfile.TemporaryDirectory() as folder:
        layer = write_layer_file(Path(folder), _fill)
        config = make_config(_NAME, [(layer.digest, "probe")], labels={}, variables={}, base={})
        load(client, ImageContent(images=(config,), layers={layer.digest: layer}))
    return find_image(client, _NAME, {})[1]


def _fill(target: IO[bytes]) -> None:
    with open_layer(target) as archive:
        add_bytes(archive, PROGRAM[1:], b"")
