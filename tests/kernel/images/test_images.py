"""Recipes, bases and the images made from them."""

import gc
import importlib.util
import io
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from bskernel.commands.images import check_images
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.images import bytecode_main, ensure_environment, find_recipes
from bskernel.images.base import Package, read_base
from bskernel.images.base_layer import fetch_package, members_of, write_layer
from bskernel.images.container_image import ImageContent, complete_content, ensure_image, load, state_of
from bskernel.images.engine import connect, hosts
from bskernel.images.environment import run_uv
from bskernel.images.layer import write_layer_file
from bskernel.images.recipe_image import BaseLayers, image_configs, image_name
from bskernel.images.recipe_layers import recipe_layers
from bskernel.runtime.container import host_settings, user_of
from bskernel.workspace.workspace import Workspace
from hypothesis import given
from hypothesis import strategies as st
from support.own_checkout import make_own_checkout
from support.paths import ROOT

VERSION = "changed"


def deb(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    """A Debian package: an ar archive whose data.tar.xz holds the files and hard links."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o755
            archive.addfile(info, io.BytesIO(content))
        for name, target in (links or {}).items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.LNKTYPE, target
            archive.addfile(info)
    parts = [b"!<arch>\n"]
    for name, content in (("debian-binary", b"2.0"), ("data.tar.xz", data.getvalue())):
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n".encode()
        parts.append(header + content + b"\n" * (len(content) % 2))
    return b"".join(parts)


def layer_of(*debs: bytes) -> bytes:
    target = io.BytesIO()
    write_layer(iter(debs), target)
    return target.getvalue()


def names_in(layer: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(layer)) as archive:
        members = archive.getmembers()
    assert len({member.name for member in members}) == len(members)
    return {member.name: member for member in members}


def test_the_docker_sdk_is_not_our_folder_of_that_name() -> None:
    assert docker.APIClient.__module__.startswith("docker.api")


def test_a_layer_puts_files_where_a_merged_usr_has_them() -> None:
    package = deb(
        {"./bin/true": b"t", "./usr/share/man/man1/true.1": b"m", "./usr/share/doc/x/copyright": b"c",
         "./usr/share/doc/x/changelog": b"l"},
        {"./bin/yes": "./bin/true"},
    )  # fmt: skip
    names = names_in(layer_of(package))
    assert names["bin"].linkname == "usr/bin"
    assert names["usr/bin/yes"].linkname == "usr/bin/true"
    assert "usr/share/doc/x/copyright" in names
    assert not {"usr/share/man/man1/true.1", "usr/share/doc/x/changelog", "bin/true"} & names.keys()


def test_the_same_packages_give_the_same_layer() -> None:
    first, second = deb({"./usr/bin/a": b"a"}), deb({"./usr/bin/b": b"b"})
    assert layer_of(first, second) == layer_of(first, second)


@given(st.binary(max_size=300))
def test_bytes_that_are_no_package_are_refused(data: bytes) -> None:
    with pytest.raises((ValueError, tarfile.TarError)):
        list(members_of(data))


@given(st.integers(min_value=0, max_value=200))
def test_a_package_that_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises((ValueError, tarfile.TarError, EOFError)):
        list(members_of(deb({"./usr/bin/a": b"a" * 1000})[:length]))


def test_a_package_of_other_bytes_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mirror" / "pool").mkdir(parents=True)
    (tmp_path / "mirror" / "pool" / "a.deb").write_bytes(b"other")
    monkeypatch.setenv("BSKERNEL_DEBIAN_MIRROR", f"file://{tmp_path}/mirror")
    with pytest.raises(EnvironmentLacking, match="differs from the one in the lock"):
        fetch_package(Package(sha256="0" * 64, size=5, path="pool/a.deb"), tmp_path / "cache")
    assert not list((tmp_path / "cache").rglob("*.deb"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("debian-13", "bases: debian-12-cxx, debian-12-python"),
        ("python:3.11", "bases: debian-12-cxx, debian-12-python"),
        ("python@sha256:12", "must be given by digest"),
    ],
)
def test_a_base_is_a_lock_of_ours_or_a_registry_image_by_digest(name: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_base(ROOT, name)
    assert text in f"{caught.value.message} {caught.value.hint}"


def test_a_line_of_the_lock_that_says_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / "docker" / "b").mkdir(parents=True)
    (tmp_path / "docker" / "b" / "packages.lock").write_text("# a comment\nabc 12 pool/a.deb\n")
    with pytest.raises(ConfigError, match=r"packages.lock:2"):
        read_base(tmp_path, "b")


def test_a_container_is_bounded_and_has_no_network() -> None:
    settings = host_settings(mounts=[], memory_bytes=1 << 30, cpus=2)
    assert settings["network_mode"] == "none"
    assert settings["read_only"]
    assert settings["cap_drop"] == ["ALL"]
    assert settings["mem_limit"] == settings["memswap_limit"] == 1 << 30
    assert settings["pids_limit"] > 0


def test_in_a_rootless_engine_the_user_is_its_root() -> None:
    assert user_of({"SecurityOptions": ["name=rootless", "name=seccomp"]}) == "0:0"
    assert user_of({"SecurityOptions": ["name=seccomp"], "Rootless": True}) == "0:0"
    assert user_of({"SecurityOptions": None}) == f"{os.getuid()}:{os.getgid()}"


@pytest.fixture
def other_root(root: Path, tmp_path: Path) -> Path:
    """A checkout of its own whose recipe can be changed."""
    return make_own_checkout(root, tmp_path / "checkout", VERSION).parents[2]


def change(other: Path, text: str) -> Any:
    image = other / "images" / "testing" / VERSION / "image.toml"
    image.write_text(f"{image.read_text()}\n{text}\n")
    return find_recipes(other)[0]


@pytest.fixture
def client() -> Iterator[docker.APIClient]:
    connected = connect()
    yield connected
    connected.close()


@pytest.mark.container
def test_a_stale_image_is_rebuilt_and_its_forerunner_removed(
    other_root: Path, cache: Path, client: docker.APIClient
) -> None:
    first = ensure_image(change(other_root, "[environment]\nONE = '1'"), client, cache, print)
    recipe = change(other_root, "TWO = '2'")
    assert state_of(recipe, client) == "stale"
    said: list[str] = []
    second = ensure_image(recipe, client, cache, said.append)
    assert second.id != first.id
    assert state_of(recipe, client) == "built"
    assert any("another recipe" in text for text in said)
    with pytest.raises(docker.errors.ImageNotFound):
        client.history(first.id)  # type: ignore[no-untyped-call]


@pytest.mark.container
def test_an_image_is_built_once(other_root: Path, cache: Path, client: docker.APIClient) -> None:
    recipe = change(other_root, "[environment]\nTHREE = '3'")
    first = ensure_image(recipe, client, cache, print)
    said: list[str] = []
    assert ensure_image(recipe, client, cache, said.append) == first
    assert said == []


@pytest.mark.container
@pytest.mark.parametrize("part", ["code", "environment", "settings", "layers"])
def test_check_names_the_part_of_an_image_that_has_other_bytes_under_the_right_labels(
    part: str, other_root: Path, cache: Path, client: docker.APIClient
) -> None:
    recipe = change(other_root, f"[environment]\nPART = '{part}'")
    workspace = Workspace(other_root, cache)
    image = ensure_image(recipe, client, cache, print)
    (state,) = check_images(workspace, (), print)
    assert (state.image, state.sound) == ("built", True)
    with recipe_layers(cache, print) as layers:
        content = complete_content(recipe, client, layers, print)
        base, environment, code = content.images[-1].layers
        stranger = write_layer_file(layers.folder, lambda target: write_layer(iter([deb({"./opt/x": b"x"})]), target))
        below = BaseLayers(digests=(base,))
        if part == "layers":
            below = BaseLayers(digests=(base, stranger.digest))
        elif part == "settings":
            below = BaseLayers(digests=(base,), settings={"User": "nobody"})
        changed = image_configs(
            recipe,
            below,
            stranger.digest if part == "environment" else environment,
            stranger.digest if part == "code" else code,
        )
        layers_of = {**content.layers, stranger.digest: stranger}
        load(client, ImageContent(images=changed[-1:], layers=layers_of))
    assert state_of(recipe, client) == "built", "its labels are right"
    (state,) = check_images(workspace, (), print)
    assert (state.image, state.sound) == (f"differs in {part}", False)
    client.remove_image(image_name(recipe), force=True)
    assert ensure_image(recipe, client, cache, print).id == image.id


@pytest.mark.container
def test_a_base_that_cannot_be_pulled_is_named(other_root: Path, cache: Path, client: docker.APIClient) -> None:
    recipe = find_recipes(other_root)[0]
    ensure_image(recipe, client, cache, print)
    image = other_root / "images" / "testing" / VERSION / "image.toml"
    image.write_text(f'base = "127.0.0.1:1/none@sha256:{"0" * 64}"\n{image.read_text()}')
    (other,) = find_recipes(other_root)
    with pytest.raises(EnvironmentLacking, match="cannot pull it"):
        ensure_image(other, client, cache, print)
    assert state_of(recipe, client) == "built"
    assert image_name(recipe) == f"bskernel/testing:{VERSION}"


def test_check_tells_a_catalogue_that_is_not_the_executor_s(other_root: Path, cache: Path) -> None:
    workspace = Workspace(other_root, cache)
    (state,) = check_images(workspace, (), print)
    assert state.catalogue == "current"
    path = other_root / "images" / "testing" / VERSION / "catalogue.json"
    path.write_text(path.read_text().replace("adds", "multiplies"))
    (state,) = check_images(workspace, ("testing",), print)
    assert state.catalogue == "differs"
    assert not state.sound
    with pytest.raises(ConfigError, match=r"^unknown executor 'tasting'$"):
        check_images(workspace, ("tasting",), print)


def test_sources_are_compiled_where_they_are_put_and_taken_without_a_look_at_their_times(
    root: Path, environments: Path
) -> None:
    (recipe,) = find_recipes(root)
    code = ensure_environment(recipe, environments, print).code
    sources = [code / name for name, _ in recipe.source_files() if name.endswith(".py")]
    for source in sources:
        # PEP 552: a hash-based file of bytecode that is not checked.
        assert Path(importlib.util.cache_from_source(str(source))).read_bytes()[4:8] == b"\x01\0\0\0"
    assert len(sources) > 20


def test_uv_reads_no_configuration_of_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "uv.toml").write_text("index-url = [nonsense")
    (tmp_path / ".python-version").write_text("2.7\n")
    (tmp_path / "pyproject.toml").write_text("nonsense = [")
    monkeypatch.chdir(tmp_path)
    run_uv("venv", "--quiet", "--offline", "--python", sys.executable, str(tmp_path / "made"))
    assert (tmp_path / "made" / "pyvenv.cfg").is_file()


def test_an_engine_is_looked_for_at_docker_host_alone_or_at_the_known_sockets() -> None:
    assert hosts({"DOCKER_HOST": "tcp://other:2375", "XDG_RUNTIME_DIR": "/run/user/7"}) == ("tcp://other:2375",)
    assert hosts({}) == ("unix:///var/run/docker.sock", "unix:///run/podman/podman.sock")
    assert hosts({"XDG_RUNTIME_DIR": "/run/user/7"}) == (
        "unix:///var/run/docker.sock",
        "unix:///run/user/7/docker.sock",
        "unix:///run/user/7/podman/podman.sock",
        "unix:///run/podman/podman.sock",
    )


@pytest.mark.filterwarnings(
    "ignore:unclosed <socket:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_an_engine_that_does_not_answer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(EnvironmentLacking, match=r"no such socket: .*none\.sock"):
        connect()
    (tmp_path / "dead.sock").touch()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/dead.sock")
    with pytest.raises(EnvironmentLacking, match=r"no Docker engine answers at .*dead\.sock"):
        connect()
    gc.collect()  # Docker's client leaves the socket that it could not connect


@pytest.mark.container
@pytest.mark.parametrize("inside", ["/opt/bskernel", "/usr/lib/python3.11"])
def test_the_bytecode_of_an_image_is_what_its_own_python_compiles(
    inside: str, other_root: Path, cache: Path, client: docker.APIClient, tmp_path: Path
) -> None:
    recipe = change(other_root, "[environment]\nBYTECODE = 'of its own'")
    image = ensure_image(recipe, client, cache, print)
    program, compiled = Path(bytecode_main.__file__), tmp_path / "compiled"
    compiled.mkdir()
    command = ["-I", "-S", "-W", "ignore", "/program.py", inside, "/compiled", inside, "0", "1"]
    binds = [f"{program}:/program.py:ro", f"{compiled}:/compiled"]
    container = client.create_container(
        image.id,
        entrypoint=[recipe.file.interpreter, *command],
        environment={"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"},
        host_config=client.create_host_config(binds=binds),
    )["Id"]
    try:
        client.start(container)
        assert client.wait(container)["StatusCode"] == 0, client.logs(container)
        parts, _ = client.get_archive(container, inside)
        with tarfile.open(fileobj=io.BytesIO(b"".join(parts))) as archive:
            stored = {
                member.name.partition("/")[2]: archive.extractfile(member).read()  # type: ignore[union-attr]
                for member in archive
                if member.name.endswith(".pyc")
            }
    finally:
        client.remove_container(container, force=True)
    assert stored == {str(path.relative_to(compiled)): path.read_bytes() for path in compiled.rglob("*.pyc")}
    assert len(stored) > 50
