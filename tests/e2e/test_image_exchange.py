"""Images that go to other machines: as archives, by a registry, into environments, where no index can be reached."""

import hashlib
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
from bskernel.images import find_recipes
from bskernel.images.engine import connect
from bskernel.images.recipe_image import image_name
from support.builds import result_of, write
from support.docker_registry import COMMAND, docker_registry
from support.own_checkout import make_own_checkout
from support.paths import BSKERNEL, ROOT
from support.podman import reason_against, served

ADD = '[build]\nname = "sum"\nmodel = "number.txt"\n[[step]]\nentry = "testing:add"\n'
# What asks an index or a mirror fails, and says so.
OFFLINE = {
    "UV_OFFLINE": "1",
    "UV_INDEX_URL": "http://127.0.0.1:9/simple",
    "BSKERNEL_DEBIAN_MIRROR": "http://127.0.0.1:9",
    "no_proxy": "127.0.0.1",
}
PYTHON = re.compile(r"/(python3.11-minimal|libpython3.11-minimal|libc6|libexpat1|zlib1g)_")
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def needs(command: str) -> pytest.MarkDecorator:
    """Skips a test where Debian's package of that name is not installed."""
    return pytest.mark.skipif(shutil.which(command) is None, reason=f"{command} is not installed")


@pytest.fixture
def root(root: Path, tmp_path: Path, worker_id: str, request: pytest.FixtureRequest) -> Path:
    """A checkout with a recipe that no other test builds. Where no container is started, its base is Python alone."""
    own = tmp_path / "checkout"
    image = make_own_checkout(root, own, f"exchange-{worker_id}") / "image.toml"
    if not request.node.get_closest_marker("container"):
        (own / "docker").unlink()
        small = own / "docker" / "small" / "packages.lock"
        small.parent.mkdir(parents=True)
        lines = (ROOT / "docker" / "debian-12-python" / "packages.lock").read_text().splitlines()
        small.write_text("".join(f"{line}\n" for line in lines if PYTHON.search(line)))
        image.write_text(f'base = "small"\n{image.read_text()}')
    return own


@pytest.fixture
def run(surroundings: dict[str, str], tmp_path: Path) -> Run:
    """Call bskernel with variables of its own."""

    def call(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [BSKERNEL, *map(str, arguments)]
        environment = surroundings | variables
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)

    return call


def succeed(done: "subprocess.CompletedProcess[str]") -> "subprocess.CompletedProcess[str]":
    assert done.returncode == 0, done.stderr + done.stdout
    return done


@pytest.fixture
def archive(run: Run, tmp_path: Path) -> Path:
    """The archive of the testing executor."""
    succeed(run("images", "export", "-o", tmp_path / "testing.tar"))
    return tmp_path / "testing.tar"


@pytest.fixture
def removed(root: Path) -> Iterator[Callable[[], None]]:
    """Remove the executor's image from the engine."""
    client = connect()

    def remove() -> None:
        client.remove_image(image_name(find_recipes(root)[0]), force=True)

    yield remove
    client.close()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def outputs(folder: Path) -> Any:
    """Of every step of a build, the key and the digests of what it made."""
    return [(step["key"], step["outputs"]) for step in result_of(folder / "build" / "sum")["steps"]]


def test_an_archive_has_the_same_bytes_from_any_cache(run: Run, archive: Path, cache: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "a cache"
    other.mkdir(parents=True)
    (other / "packages").symlink_to(cache / "packages")
    succeed(run("images", "export", "-o", tmp_path / "folder", BSKERNEL_CACHE=str(other)))
    (written,) = (tmp_path / "folder").iterdir()
    assert (other / "envs").is_dir()
    assert sha256(written) == sha256(archive)


def test_an_executor_runs_as_a_process_from_an_archive_without_an_index(
    run: Run, archive: Path, tmp_path: Path
) -> None:
    empty = {"BSKERNEL_CACHE": str(tmp_path / "empty"), "UV_CACHE_DIR": str(tmp_path / "uv"), **OFFLINE}
    assert run("run", write(tmp_path, ADD), "--runtime", "process", **empty).returncode != 0
    succeed(run("images", "import", archive, "--runtime", "process", **empty))
    succeed(run("run", write(tmp_path, ADD), "--runtime", "process", **empty))


@pytest.mark.container
def test_an_executor_runs_in_a_container_from_an_archive_without_an_index(
    run: Run, archive: Path, tmp_path: Path, removed: Callable[[], None]
) -> None:
    empty = {"BSKERNEL_CACHE": str(tmp_path / "empty"), "UV_CACHE_DIR": str(tmp_path / "uv"), **OFFLINE}
    said = succeed(run("images", "import", archive, "--runtime", "docker", **empty)).stdout
    succeed(run("run", write(tmp_path, ADD), "--runtime", "docker", **empty))
    removed()
    built = succeed(run("images", "build", "--runtime", "docker"))
    assert "built" in built.stdout
    client = connect()
    name = said.split("  ")[0].replace("@", ":")
    # What was built is what was imported.
    assert client.inspect_image(f"bskernel/{name}")["Id"].startswith(said.split("  ")[1])  # type: ignore[no-untyped-call]
    client.close()


def test_an_archive_of_another_recipe_is_refused(run: Run, archive: Path, root: Path) -> None:
    (image,) = root.glob("images/testing/*/image.toml")
    image.write_text(f"{image.read_text()}\n[environment]\nOTHER = '1'\n")
    done = run("images", "import", archive, "--runtime", "process")
    assert done.returncode == 4
    assert "of a recipe with the digest" in done.stderr
    assert str(archive) in done.stderr


@pytest.mark.parametrize("position", [0.4, 0.9])
def test_a_damaged_archive_is_refused_before_anything_is_taken(
    run: Run, archive: Path, position: float, tmp_path: Path
) -> None:
    with archive.open("r+b") as file:
        file.seek(int(archive.stat().st_size * position))
        at = file.tell()
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))
    empty = tmp_path / "empty"
    done = run("images", "import", archive, "--runtime", "process", BSKERNEL_CACHE=str(empty))
    assert (done.returncode, "damaged" in done.stderr) == (2, True), done.stderr
    assert not (empty / "envs").exists()


@needs("skopeo")
@needs("umoci")
def test_an_archive_is_an_oci_layout_whose_files_are_the_layers(archive: Path, tmp_path: Path) -> None:
    inspect = ["skopeo", "inspect", f"oci-archive:{archive}"]
    labels = json.loads(subprocess.run(inspect, capture_output=True, check=True).stdout)["Labels"]
    assert labels["bskernel.executor"] == "testing"
    layout = tmp_path / "layout"
    subprocess.run(["skopeo", "copy", "-q", f"oci-archive:{archive}", f"oci:{layout}:testing"], check=True)
    unpack = ["umoci", "raw", "unpack", "--rootless", "--image", f"{layout}:testing", str(tmp_path / "files")]
    subprocess.run(unpack, check=True, capture_output=True)
    with tarfile.open(archive) as whole:
        described = json.load(whole.extractfile("manifest.json"))  # type: ignore[arg-type]
        expected = set()
        for name in next(image for image in described if "testing" in image["RepoTags"][0])["Layers"]:
            with tarfile.open(fileobj=whole.extractfile(name)) as layer:
                expected |= {member.name for member in layer if not member.isdir()}
    files = (path for path in (tmp_path / "files").rglob("*") if path.is_symlink() or not path.is_dir())
    found = {str(path.relative_to(tmp_path / "files")) for path in files}
    assert len(found) > 20
    assert found == expected


@pytest.mark.container
@needs(COMMAND)
def test_a_group_builds_an_image_once_and_pulls_it_from_its_registry(
    run: Run, tmp_path: Path, root: Path, removed: Callable[[], None]
) -> None:
    with docker_registry(tmp_path / "registry") as (address, login):
        known = {"DOCKER_CONFIG": str(login)}
        place = f"{address}/group/bskernel"
        denied = run("images", "push", place, DOCKER_CONFIG=str(tmp_path))
        assert (denied.returncode, f"docker login {address}" in denied.stderr) == (4, True), denied.stderr
        pushed = succeed(run("images", "push", place, **known)).stdout
        assert find_recipes(root)[0].digest in pushed
        removed()
        empty = {"BSKERNEL_CACHE": str(tmp_path / "empty"), **OFFLINE, **known}
        pulled = succeed(run("images", "pull", place, **empty))
        assert "building" not in pulled.stderr
        ran = succeed(run("run", write(tmp_path, ADD), "--runtime", "docker", **empty))
        assert "building" not in ran.stderr
        (image,) = root.glob("images/testing/*/image.toml")
        image.write_text(f"{image.read_text()}\n[environment]\nOTHER = '1'\n")
        missing = run("images", "pull", place, **empty)
        assert missing.returncode == 4
        assert f"{place} has no image of testing@" in missing.stderr
        assert f"recipes there: {pushed.rpartition(':')[2].strip()}" in missing.stderr
    gone = run("images", "pull", place, **empty)
    assert (gone.returncode, f"{address} cannot be used" in gone.stderr) == (4, True), gone.stderr
    assert run("images", "pull", "No/Repo:1").returncode == 2
    removed()


@pytest.mark.container
def test_probing_an_engine_leaves_one_image_however_often(run: Run, tmp_path: Path) -> None:
    client = connect()
    seen = set()
    for number in range(2):
        succeed(run("images", "build", "--runtime", "docker", BSKERNEL_CACHE=str(tmp_path / str(number))))
        seen.add(client.inspect_image("bskernel/probe:1")["Id"])  # type: ignore[no-untyped-call]
    assert len(seen) == 1
    layers = client.inspect_image("bskernel/probe:1")["RootFS"]  # type: ignore[no-untyped-call]
    untagged = client.images(quiet=True, filters={"dangling": True})
    assert not [image for image in untagged if rootfs(client, image) == layers]
    client.close()


def rootfs(client: docker.APIClient, image: str) -> Any:
    """The layers of an image; None if somebody else has removed it."""
    try:
        return client.inspect_image(image)["RootFS"]  # type: ignore[no-untyped-call]
    except docker.errors.ImageNotFound:
        return None


@pytest.mark.container
@pytest.mark.skipif(reason_against(rootless=False) is not None, reason="no Podman as root here")
def test_docker_and_podman_make_the_same_keys_and_outputs(run: Run, tmp_path: Path) -> None:
    succeed(run("run", write(tmp_path, ADD), "--runtime", "docker", "--fresh"))
    by_docker = outputs(tmp_path)
    with served(rootless=False) as podman:
        succeed(run("run", write(tmp_path, ADD), "--runtime", "docker", "--fresh", DOCKER_HOST=podman.socket))
    assert outputs(tmp_path) == by_docker
