"""The jobs of docs/ci.md, as a runner would run them: in an empty container, with and without an engine's socket."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import uv
from bskernel.images import find_recipes
from bskernel.images.container_image import ensure_image
from bskernel.images.engine import connect
from support.builds import result_of, statuses
from support.ci_jobs import GitHub, blocks, gitlab_component, jobs_of_page, run_gitlab
from support.paths import ROOT

PAGE = ROOT / "docs" / "ci.md"
GITHUB, GITLAB = ".github/workflows/accelerator.yml", ".gitlab-ci.yml"
BUILD = """\
[build]
name = "sum"
model = "number.txt"
[[step]]
entry = "testing:double"
[[step]]
name = "sum"
entry = "testing:add"
parameters = {{ number = {number} }}
[[step]]
entry = "testing:tell"
"""
GATES = '[[gate]]\nname = "small"\nfail_if = "number > base"\n'
MEMBERS = ("protocol", "kernel", "executors", "images")


def run(*command: object, **options: Any) -> None:
    subprocess.run(list(map(str, command)), check=True, capture_output=True, **options)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheels; and uv's cache has then what they depend on, so containers need no network."""
    folder = tmp_path_factory.mktemp("wheels")
    for member in MEMBERS:
        run(uv.find_uv_bin(), "build", "--quiet", "--wheel", "--out-dir", folder, ROOT / member)
    own = {name: str(folder / "tools" / name) for name in ("UV_TOOL_DIR", "UV_TOOL_BIN_DIR")}
    install = (uv.find_uv_bin(), "tool", "install", "--quiet", "--python", sys.executable, "--find-links", folder)
    run(*install, "bskernel", env=os.environ | own)
    shutil.rmtree(folder / "tools")
    return folder


def project(folder: Path, number: int = 3) -> Path:
    """A repository with a build of the testing executor."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "number.txt").write_text("5")
    (folder / "build.toml").write_text(BUILD.format(number=number))
    (folder / "gates.toml").write_text(GATES)
    return folder


def surroundings_of(home: Path, root: Path) -> dict[str, str]:
    """What every job finds: a home, uv and its cache, and the recipe of the testing executor."""
    return {
        "HOME": str(home),
        "BSKERNEL_ROOT": str(root),
        "UV_CACHE_DIR": subprocess.run(
            [uv.find_uv_bin(), "cache", "dir"], capture_output=True, text=True, check=True
        ).stdout.strip(),
        "UV_OFFLINE": "1",
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_LINK_MODE": "symlink",  # copying the same packages to each home would take most of the time
    }


class Container:
    """A container of the testing executor's image, with this user; folders are at their own paths."""

    def __init__(self, folder: Path, cache: Path, root: Path, wheels: Path, *, socket: bool) -> None:
        self.folder, self.wheels = folder, wheels
        self._client = connect()
        (recipe,) = find_recipes(root)
        image = ensure_image(recipe, self._client, cache, print)
        self._environment = surroundings_of(folder / "home", root)
        read_only = [ROOT, root, wheels]
        binds = [f"{path}:{path}:ro" for path in read_only]
        binds += [f"{path}:{path}" for path in (folder, self._environment["UV_CACHE_DIR"])]
        binds.append(f"{uv.find_uv_bin()}:/usr/local/bin/uv:ro")
        if socket:
            host = (os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock").removeprefix("unix://")
            binds.append(f"{host}:/var/run/docker.sock")
        settings = self._client.create_host_config(binds=binds, network_mode="none", init=True)
        self._id = self._client.create_container(
            image.id, ["sleep", "600"], host_config=settings, user=f"{os.getuid()}:{os.getgid()}"
        )["Id"]
        self._client.start(self._id)

    def execute(self, command: list[str], environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        """Run a command in the repository, with nothing of this process's environment."""
        path = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
        call = self._client.exec_create(
            self._id, command, environment={**path, **self._environment, **environment},
            workdir=str(self.folder / "repository"),
        )["Id"]  # fmt: skip
        out, err = self._client.exec_start(call, demux=True)
        code = self._client.exec_inspect(call)["ExitCode"]
        return subprocess.CompletedProcess(command, code, (out or b"").decode(), (err or b"").decode())

    def new_home(self) -> Path:
        """Another machine: nothing of the last job is there but its repository."""
        home = self.folder / "home"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir()
        return home

    def remove(self) -> None:
        self._client.remove_container(self._id, force=True)
        self._client.close()


@pytest.fixture(scope="module")
def container(
    tmp_path_factory: pytest.TempPathFactory, environments: Path, root: Path, wheels: Path
) -> Iterator[Container]:
    """A job's container in which no engine answers."""
    folder = tmp_path_factory.mktemp("runner")
    project(folder / "repository")
    made = Container(folder, environments, root, wheels, socket=False)
    yield made
    made.remove()


@pytest.fixture
def container_with_socket(tmp_path: Path, environments: Path, root: Path, wheels: Path) -> Iterator[Container]:
    """A job's container with the socket of an engine that sees other files."""
    project(tmp_path / "repository")
    made = Container(tmp_path, environments, root, wheels, socket=True)
    yield made
    made.remove()


@pytest.mark.container
@pytest.mark.env
def test_the_job_for_github_builds_and_a_second_machine_recalls_all_of_it(container: Container) -> None:
    (job,) = jobs_of_page(PAGE, GITHUB)["jobs"].values()
    caches, repository = container.folder / "caches", container.folder / "repository"
    caches.mkdir()
    first = GitHub(container.execute, container.new_home(), repository, caches)
    assert first.run(job, {"github.base_ref": ""}) == 0, first.said
    assert "making the environment" in first.said
    assert statuses(first.uploaded[0]) == {"double": "ran", "sum": "ran", "tell": "ran"}
    assert "`sum` ok" in first.summary
    assert len(ET.parse(repository / "bskernel.xml").findall(".//testcase")) == 3
    second = GitHub(container.execute, container.new_home(), repository, caches)
    assert second.run(job, {"github.base_ref": ""}) == 0, second.said
    assert len(second.restored) == 2
    assert "making the environment" not in second.said
    assert set(statuses(second.uploaded[0]).values()) == {"recalled"}


@pytest.mark.container
@pytest.mark.env
def test_the_job_for_gitlab_builds(container: Container) -> None:
    (component,) = jobs_of_page(PAGE, GITLAB)["include"]
    repository, home = container.folder / "repository", container.new_home()
    job = gitlab_component({**component["inputs"], "wheels": str(container.wheels), "base": "build/main"})
    environment = {"CI_PROJECT_DIR": str(repository), "HOME": str(home)}
    done = run_gitlab({**job, "variables": {**job["variables"], "BASE": ""}}, container.execute, environment)
    assert done.returncode == 0, done.stderr
    # The base is a build that is there already.
    shutil.copytree(repository / "build" / "ci", repository / "build" / "main")
    (repository / "build.toml").write_text(BUILD.format(number=4))
    worse = run_gitlab(job, container.execute, environment)
    assert worse.returncode == 5, worse.stdout + worse.stderr
    assert len(ET.parse(repository / "bskernel-gates.xml").findall(".//failure")) == 1
    assert (repository / ".bskernel" / "cache" / "envs").is_dir()


@pytest.mark.container
@pytest.mark.env
def test_the_commands_for_any_other_service_build_beside_an_engine_s_socket(container_with_socket: Container) -> None:
    container = container_with_socket
    repository = container.folder / "repository"
    path = {"PATH": f"{container.new_home()}/.local/bin:/usr/local/bin:/usr/bin:/bin"}
    (repository / "dist").symlink_to(container.wheels)
    (script,) = blocks(PAGE, "sh")
    install, build, compare = script.splitlines()
    done = container.execute(["bash", "-ec", f"{install}\n{build}"], path)
    assert done.returncode == 0, done.stderr
    shutil.copytree(repository / "build" / "ci", repository / "build" / "main")
    done = container.execute(["bash", "-ec", compare], path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(ET.parse(repository / "gates.xml").findall(".//testcase")) == 1


@pytest.mark.env
def test_a_pull_request_is_compared_with_its_target_and_a_worse_one_fails(
    tmp_path: Path, root: Path, wheels: Path
) -> None:
    origin = project(tmp_path / "origin")
    git = ("git", "-c", "user.name=n", "-c", "user.email=e")
    run(*git, "init", "--quiet", "--initial-branch", "main", cwd=origin)
    run(*git, "add", ".", cwd=origin)
    run(*git, "commit", "--quiet", "-m", "first", cwd=origin)
    run(*git, "clone", "--quiet", origin, tmp_path / "repository")
    repository = project(tmp_path / "repository", number=9)
    (tmp_path / "home").mkdir()
    (tmp_path / "caches").mkdir()
    own = surroundings_of(tmp_path / "home", root)

    def execute(command: list[str], environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
        path = f"{environment['PATH']}:{Path(uv.find_uv_bin()).parent}:{os.environ['PATH']}"
        return subprocess.run(
            command,
            cwd=repository,
            env={**own, **environment, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )

    runner = GitHub(execute, tmp_path / "home", repository, tmp_path / "caches")
    (job,) = jobs_of_page(PAGE, GITHUB)["jobs"].values()
    assert runner.run(job, {"github.base_ref": "main"}) == 5, runner.said
    assert "::error title=gate small%3A failed::" in runner.said
    assert "### bskernel diff: a gate failed" in runner.summary
    assert result_of(repository / "build" / "ci")["status"] == "ok"
    assert runner.uploaded == [repository / "build" / "ci"]
    assert len(list((tmp_path / "caches").iterdir())) == 2  # kept though the job failed
