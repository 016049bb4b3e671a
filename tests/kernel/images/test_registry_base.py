"""A base image that a registry holds, named by digest: pulled by the engine from a registry that this test is."""

import gzip
import hashlib
import http.server
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from bskernel.images import find_recipes
from bskernel.images.container_image import ensure_image, state_of
from bskernel.images.engine import connect
from support.own_checkout import make_own_checkout

pytestmark = pytest.mark.container
MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _image() -> tuple[str, dict[str, bytes]]:
    """The digest of a one-layer image's manifest, and its blobs by digest."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("marker"))
    packed = gzip.compress(layer.getvalue(), mtime=0)
    config = json.dumps(
        {
            "architecture": "amd64",
            "os": "linux",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer.getvalue())]},
        }
    ).encode()
    parts = {
        "config": ("application/vnd.docker.container.image.v1+json", config),
        "layer": ("application/vnd.docker.image.rootfs.diff.tar.gzip", packed),
    }
    described = {
        name: {"mediaType": kind, "size": len(data), "digest": _digest(data)} for name, (kind, data) in parts.items()
    }
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": described["config"],
            "layers": [described["layer"]],
        }
    ).encode()
    return _digest(manifest), {_digest(data): data for data in (config, packed, manifest)}


@pytest.fixture
def base() -> Iterator[str]:
    digest, blobs = _image()

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            data = b"{}" if self.path == "/v2/" else blobs.get(self.path.rpartition("/")[2])
            self.send_response(200 if data is not None else 404)
            if "/manifests/" in self.path:
                self.send_header("Content-Type", MANIFEST_TYPE)
            self.send_header("Content-Length", str(len(data or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(data or b"")

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *arguments: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}/base@{digest}"
    server.shutdown()
    server.server_close()


def test_a_base_of_a_registry_is_pulled_by_digest_and_built_on(
    root: Path, cache: Path, tmp_path: Path, base: str
) -> None:
    path = make_own_checkout(root, tmp_path / "checkout", "registry") / "image.toml"
    path.write_text(f'base = "{base}"\n{path.read_text()}')
    (recipe,) = find_recipes(tmp_path / "checkout")
    client = connect()
    built = ensure_image(recipe, client, cache, print)
    assert state_of(recipe, client) == "built"
    layers = client.inspect_image(built.id)["RootFS"]["Layers"]  # type: ignore[no-untyped-call]
    assert len(layers) == 3
    client.close()
