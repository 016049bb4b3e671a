"""Archives of images: their bytes depend on the images alone, and what is read is not trusted."""

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import IO

import pytest
from bskernel.core.errors import ConfigError
from bskernel.images import ensure_environment, find_recipes
from bskernel.images.archive_file import read_archive, write_archive
from bskernel.images.bytecode import compile_below
from bskernel.images.container_image import ImageContent
from bskernel.images.layer import ImageLayer, add_bytes, entry, open_layer, write_layer_file
from bskernel.images.oci_archive import archive_chunks, make_config
from bskernel.images.recipe_layers import recipe_layers
from bskernel.images.unpacked_environment import unpack_environment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

INSIDE = "opt/bskernel/env"
NAMES = st.text("abcxyz0/.-", min_size=1, max_size=150).filter(lambda name: name.strip("/.") == name)


def layer_of(folder: Path, files: dict[str, bytes]) -> ImageLayer:
    def fill(target: IO[bytes]) -> None:
        with open_layer(target) as archive:
            for name, data in files.items():
                add_bytes(archive, name, data)

    return write_layer_file(folder, fill)


def content_of(layers: list[ImageLayer], name: str = "bskernel/x:1", **labels: str) -> ImageContent:
    origins = [(layer.digest, "a test") for layer in layers]
    config = make_config(name, origins, labels=labels, variables={"TZ": "UTC"}, base={})
    return ImageContent(images=(config,), layers={layer.digest: layer for layer in layers})


def test_the_files_of_an_archive_are_pinned(tmp_path: Path) -> None:
    layer = layer_of(tmp_path, {"a": b"a"})
    content = content_of([layer], label="said")
    data = b"".join(archive_chunks(content.images, content.layers))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        entries = archive.getmembers()
        files = {file.name: archive.extractfile(file).read() for file in entries if file.isfile()}  # type: ignore[union-attr]
    (image,) = content.images
    assert {(file.mtime, file.uid, file.gid, file.uname) for file in entries} == {(315_532_800, 0, 0, "")}
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    blob = f"blobs/sha256/{layer.digest}"
    assert json.loads(files["manifest.json"]) == [
        {"Config": f"blobs/sha256/{image.id}", "Layers": [blob], "RepoTags": ["docker.io/bskernel/x:1"]}
    ]
    (listed,) = json.loads(files["index.json"])["manifests"]
    assert listed["annotations"]["org.opencontainers.image.ref.name"] == "bskernel/x:1"
    manifest = json.loads(files[f"blobs/sha256/{listed['digest'].removeprefix('sha256:')}"])
    (described,) = manifest["layers"]
    assert described.pop("mediaType") == "application/vnd.oci.image.layer.v1.tar"
    assert described == {"digest": f"sha256:{layer.digest}", "size": layer.size}
    config = json.loads(files[f"blobs/sha256/{image.id}"])
    assert config["config"] == {"Env": ["TZ=UTC"], "Labels": {"label": "said"}}
    assert config["created"] == "1980-01-01T00:00:00Z"
    assert config["rootfs"] == {"type": "layers", "diff_ids": [f"sha256:{layer.digest}"]}
    assert files[blob] == layer.path.read_bytes()


def test_an_image_inherits_the_settings_of_its_base() -> None:
    base = {"Env": ["A=1", "TZ=base"], "Labels": {"from": "base"}, "User": "7"}
    image = make_config("x:1", [], labels={"own": "label"}, variables={"TZ": "UTC"}, base=base)
    settings_of_image = json.loads(image.data)["config"]
    assert settings_of_image == {
        "Env": ["A=1", "TZ=UTC"],
        "Labels": {"from": "base", "own": "label"},
        "User": "7",
    }


@given(st.dictionaries(NAMES, st.binary(max_size=1500), max_size=4), st.lists(st.binary(max_size=40), max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read_again(tmp_path: Path, files: dict[str, bytes], more: list[bytes]) -> None:
    layers = [layer_of(tmp_path, files), *(layer_of(tmp_path, {"more": data}) for data in dict.fromkeys(more))]
    content = content_of(layers, **{"bskernel.executor": "e", "bskernel.version": "1"})
    path = tmp_path / "archive.tar"
    assert write_archive(path, [content]) == path.stat().st_size
    (stored,) = read_archive(path)
    assert stored.executor == "e@1"
    assert stored.data == content.images[0].data
    assert [b"".join(layer.chunks()) for layer in stored.layers] == [layer.path.read_bytes() for layer in layers]
    assert not [left for left in tmp_path.iterdir() if ".tmp-" in left.name and left.name.startswith(".")]


@given(st.binary(max_size=2000), st.integers(min_value=0, max_value=9))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_no_archive_is_refused_by_name(tmp_path: Path, data: bytes, part: int) -> None:
    content = content_of([layer_of(tmp_path, {"a": b"a"})])
    whole = b"".join(archive_chunks(content.images, content.layers))
    cut = len(whole) * part // 10
    path = tmp_path / "archive.tar"
    path.write_bytes(whole[:cut] + data)
    with pytest.raises(ConfigError, match=r"archive\.tar"):
        read_archive(path)


def test_a_blob_of_other_bytes_is_refused(tmp_path: Path) -> None:
    layer = layer_of(tmp_path, {"a": b"a" * 600})
    content = content_of([layer])
    path = tmp_path / "archive.tar"
    write_archive(path, [content])
    path.write_bytes(path.read_bytes().replace(b"a" * 600, b"a" * 599 + b"b"))
    with pytest.raises(ConfigError, match=f"blob {layer.digest} has other bytes"):
        read_archive(path)


def tree(folder: Path) -> Path:
    (folder / "package").mkdir(parents=True)
    (folder / "package" / "module.py").write_text("def f():\n    return {'b', 'a'}, __file__\n")
    (folder / "package" / "broken.py").write_text("def (")
    return folder


def test_bytecode_does_not_depend_on_place_and_time_and_is_imported(tmp_path: Path) -> None:
    one, other = tree(tmp_path / "one"), tree(tmp_path / "some where" / "else")
    os.utime(other / "package" / "module.py", (0, 0))
    for folder in (one, other):
        compile_below(folder, "/opt/bskernel/env", [sys.executable])
    (compiled,) = one.rglob("*.pyc")
    assert compiled.read_bytes() == (other / compiled.relative_to(one)).read_bytes()
    assert b"/opt/bskernel/env/package/module.py" in compiled.read_bytes()
    # The source is not looked at again.
    (one / "package" / "module.py").write_text("raise SystemExit('compiled again')\n")
    program = "import sys; sys.path[:0] = [sys.argv[1]]; import package.module as m; print(m.f()[1])"
    done = subprocess.run([sys.executable, "-I", "-c", program, str(one)], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str(one / "package" / "module.py")


def test_a_layer_has_no_bytecode_that_somebody_else_compiled(root: Path, cache: Path) -> None:
    (recipe,) = find_recipes(root)
    venv = ensure_environment(recipe, cache, print).python.parent.parent.resolve()
    (cache / "envs").unlink()
    own = shutil.copytree(venv, cache / "envs" / venv.name, symlinks=True)
    with recipe_layers(cache, print) as layers:
        before = layers.environment(recipe).digest
    package = own / "lib" / "python3.11" / "site-packages" / "msgspec"
    (package / "__pycache__" / "__init__.cpython-311.pyc").write_bytes(b"from a run, with its time")
    (package / "__pycache__" / "gone.cpython-311.pyc").write_bytes(b"\0\0\0\0\1\0\0\0")
    (package / "__pycache__" / "__init__.cpython-311.opt-1.pyc").write_bytes(b"\0\0\0\0\1\0\0\0")
    os.utime(package / "__init__.py", (0, 0))
    (package / "__init__.py").chmod(0o600)
    with recipe_layers(cache, print) as layers:
        assert layers.environment(recipe).digest == before
    assert not [path for path in cache.iterdir() if path.name.startswith("layers-")]


def link_entry(name: str, target: str) -> tarfile.TarInfo:
    return entry(name, tarfile.SYMTYPE, 0o777, target=target)


HOSTILE: dict[str, list[tarfile.TarInfo]] = {
    "above": [entry(f"{INSIDE}/../../../outside", tarfile.REGTYPE, 0o644)],
    "absolute link": [link_entry(f"{INSIDE}/lib/x", "/etc/passwd")],
    "link out": [link_entry(f"{INSIDE}/lib/x", "../../outside")],
    "through a link": [
        link_entry(f"{INSIDE}/deep", "lib"),
        entry(f"{INSIDE}/deep/x", tarfile.REGTYPE, 0o644),
    ],
    "device": [entry(f"{INSIDE}/lib/null", tarfile.CHRTYPE, 0o666)],
    "hard link": [entry(f"{INSIDE}/lib/x", tarfile.LNKTYPE, 0o644, target="etc/passwd")],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_an_environment_s_layer_writes_only_into_the_environment(kind: str, root: Path, tmp_path: Path) -> None:
    (recipe,) = find_recipes(root)

    def fill(target: IO[bytes]) -> None:
        with open_layer(target) as archive:
            for member in HOSTILE[kind]:
                archive.addfile(member)

    cache = tmp_path / "cache"
    with pytest.raises(ConfigError, match="layer-"):
        unpack_environment(recipe, write_layer_file(tmp_path, fill), cache, print)
    assert not [path for path in tmp_path.rglob("*") if path.name in {"outside", "x"}]
    assert not (cache / "envs" / recipe.environment_digest).exists()
