"""Fixtures: a whole bskernel of its own, with an executor that needs no domain libraries."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from bskernel.core.errors import EnvironmentLacking
from bskernel.images import find_recipes
from bskernel.images.description import describe
from bskernel.images.engine import connect
from bskernel.workspace.workspace import Workspace
from support.lasting_sessions import LastingWorkspace
from support.paths import BSKERNEL
from support.s3_server import S3Server

if TYPE_CHECKING:
    from support.ssh_server import SshServer

# How long an example takes is not what a test promises.
hypothesis.settings.register_profile("untimed", deadline=None)
# `make unit` tries fewer examples; `make test` tries all.
hypothesis.settings.register_profile("quick", deadline=None, max_examples=20)
hypothesis.settings.load_profile("quick" if os.environ.get("BSKERNEL_QUICK") else "untimed")
HERE = Path(__file__).parent
ROOT = HERE.parent
SHARED = ("envs", "code", "bases", "packages")  # folders of a cache


def make_root(folder: Path, environments: Path) -> Path:
    """A checkout-like folder that knows the testing executor alone."""
    image = folder / "images" / "testing" / "1"
    image.mkdir(parents=True)
    for name in ("protocol", "executors", "docker"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "testing_executor").symlink_to(HERE / "testing_executor")
    for name in ("image.toml", "requirements.lock"):
        (image / name).write_bytes((HERE / "testing_executor" / name).read_bytes())
    (image / "catalogue.json").write_text(describe(find_recipes(folder)[0], environments, print))
    return folder


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    """An S3 server of this machine."""
    server = S3Server()
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def ssh(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[tuple[SshServer, Path]]":
    """An SSH server of this machine, and the folder that it serves."""
    from support.ssh_server import SshServer  # asyncssh takes long to import, and few tests need it

    root = tmp_path_factory.mktemp("served")
    server = SshServer(tmp_path_factory.mktemp("keys"), root)
    server.start()
    yield server, root
    server.kill()


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A cache whose environments all tests share, those of other test processes too."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "environments"
    for name in SHARED:
        (folder / name).mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Path:
    return make_root(tmp_path_factory.mktemp("checkout"), environments)


@pytest.fixture(scope="session")
def workspace(environments: Path) -> Iterator[Workspace]:
    """bskernel with this checkout's executors: what one test builds, later ones recall, in sessions that last."""
    with LastingWorkspace(ROOT, environments) as workspace:
        yield workspace


@pytest.fixture(scope="session")
def contained(environments: Path) -> Iterator[Workspace]:
    """bskernel with another cache, for containers, which all tests share, too."""
    cache = environments.with_name("contained")
    cache.mkdir(exist_ok=True)
    for name in SHARED:
        with contextlib.suppress(FileExistsError):  # another test process has made it
            (cache / name).symlink_to(environments / name)
    with LastingWorkspace(ROOT, cache) as workspace:
        yield workspace


@pytest.fixture
def own_workspace(workspace: Workspace, contained: Workspace, runtime: str) -> Workspace:
    """bskernel for a test that is marked in_both: containers must not recall what processes made."""
    return contained if runtime == "docker" else workspace


@pytest.fixture
def cache(tmp_path: Path, environments: Path) -> Path:
    """An empty cache, but for environments that are made and packages that are fetched already."""
    folder = tmp_path / "cache"
    folder.mkdir()
    for name in SHARED:
        (folder / name).symlink_to(environments / name)
    return folder


def pytest_configure() -> None:
    """Let interrupts reach what tests start: a job in a shell's background inherits an ignored SIGINT.

    Projects of tests are trusted, but for those of the tests of trust.
    """
    os.environ["BSKERNEL_TRUST"] = "1"
    signal.signal(signal.SIGINT, signal.default_int_handler)


def engine() -> str | None:
    """Why no Docker engine can be used, or None."""
    try:
        connect()
    except EnvironmentLacking as error:
        return error.message
    return None


# A minute or more each, the longest first: they start before the other whole builds, so that no process waits for one
# of them in the end.
LONGEST = (
    *("test_brevitas", "test_ecp5", "test_rtl", "test_branching_rtl", "test_campaigns", "test_branching_networks"),
    *("test_bitstream", "test_netlist", "test_ice40", "test_reviewer"),
)


def turn(item: pytest.Item) -> int:
    """Parts of the code come first, then the longest modules, then the other whole builds."""
    if item.path.stem in LONGEST:
        return 1 + LONGEST.index(item.path.stem)
    return 1 + len(LONGEST) if {"e2e", "chaos"} & set(item.path.parts) else 0


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what needs a Docker engine or a browser where there is none, unless BSKERNEL_REQUIRE_... says one must.

    Proofs run only if they are asked for by name: with any -m that does not say so they are left out.
    """
    items.sort(key=turn)
    if "proof" not in config.getoption("markexpr"):
        proofs = [item for item in items if item.get_closest_marker("proof")]
        config.hook.pytest_deselected(items=proofs)
        items[:] = [item for item in items if item not in proofs]
    if not os.environ.get("BSKERNEL_REQUIRE_BROWSER") and not shutil.which("chromium"):
        for item in items:
            if item.get_closest_marker("browser"):
                item.add_marker(pytest.mark.skip(reason="chromium is not installed"))
    if not os.environ.get("BSKERNEL_REQUIRE_ENGINE") and (reason := engine()):
        for item in items:
            if item.get_closest_marker("container"):
                item.add_marker(pytest.mark.skip(reason=reason))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that is marked in_both runs in either runtime."""
    if metafunc.definition.get_closest_marker("in_both"):
        both = ["process", pytest.param("docker", marks=pytest.mark.container)]
        metafunc.parametrize("runtime", both, indirect=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the images of the testing executor, and what they rest on, when the last test process is done."""
    alone = session.config.getoption("numprocesses", None) is None
    if alone and not any(item.get_closest_marker("container") for item in session.items):
        return
    if hasattr(session.config, "workerinput") or engine():
        return
    from docker.errors import APIError

    client = connect()

    def remove(is_ours: Callable[[dict[str, str], list[str]], bool]) -> set[str]:
        found = set()
        for image in client.images():
            labels = image["Labels"] or {}
            if is_ours(labels, image["RepoTags"] or image["RepoDigests"] or []):
                found.add(labels.get("bskernel.environment", ""))
                try:
                    client.remove_image(image["Id"], force=True)
                except APIError as error:  # another run of the tests uses it, or has removed it
                    if error.status_code not in {404, 409}:
                        raise
        return found - {""}

    # In the order in which they rest on one another.
    environments = remove(lambda labels, _: labels.get("bskernel.executor") == "testing")
    remove(lambda labels, _: labels.get("bskernel.environment") in environments)
    remove(lambda _, names: any(name.startswith("127.0.0.1:") for name in names))
    client.close()


@pytest.fixture
def runtime(request: pytest.FixtureRequest) -> str:
    """The runtime that a test builds in; the mark in_both gives it each."""
    return str(getattr(request, "param", "process"))


Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def surroundings(root: Path, cache: Path, runtime: str) -> dict[str, str]:
    """Environment variables of a bskernel command."""
    return {
        **os.environ,
        "BSKERNEL_ROOT": str(root),
        "BSKERNEL_CACHE": str(cache),
        "BSKERNEL_RUNTIME": runtime,
    }


@pytest.fixture
def cli(surroundings: dict[str, str], tmp_path: Path) -> Cli:
    """Call the bskernel command as a user does."""

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BSKERNEL, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env=surroundings,
        )

    return call


Begin = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def begin(surroundings: dict[str, str], tmp_path: Path) -> Iterator[Begin]:
    """Call it and go on while it does; what it prints is in begun.out, and it does not outlive the test."""
    begun: list[subprocess.Popen[bytes]] = []

    def call(*arguments: str, **variables: str) -> subprocess.Popen[bytes]:
        command = [BSKERNEL, *arguments]
        with (tmp_path / "begun.out").open("ab") as out:
            kernel = subprocess.Popen(command, env=surroundings | variables, cwd=tmp_path, stdout=out, stderr=out)
        begun.append(kernel)
        return kernel

    yield call
    for kernel in begun:
        kernel.kill()
        kernel.wait()
