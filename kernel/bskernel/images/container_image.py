"""The image of an executor, built by the engine from its recipe without network: base, environment, sources.

There are two images because they change at different rates: bskernel/environment holds the base and the locked
packages, bskernel/EXECUTOR:VERSION adds the executor's few source files. Labels name the recipe of each.
"""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from bskernel.core.errors import EnvironmentLacking
from bskernel.images.atomic_dir import lock_file
from bskernel.images.base_layer import ensure_base
from bskernel.images.bytecode import compile_sources
from bskernel.images.environment import ensure_environment
from bskernel.images.recipe import Recipe, environment_variables

if TYPE_CHECKING:
    import docker

RECIPE_LABEL = "bskernel.recipe"
PYTHON = "/opt/bskernel/env/bin/python"
PATH = "/opt/bskernel/env/bin:/usr/bin:/bin"
CODE = "/opt/bskernel/code"
ImageState = Literal["built", "stale", "not built"]


class BuiltImage(msgspec.Struct, frozen=True, kw_only=True):
    """An image that matches its recipe, with the engine's identifier."""

    id: str
    name: str


def image_name(recipe: Recipe) -> str:
    """The tag for people; containers are started by identifier."""
    return f"bskernel/{recipe.file.executor}:{recipe.file.version}"


def find_image(client: docker.APIClient, name: str, label: str, digest: str) -> tuple[ImageState, str]:
    """The state of the image of that name compared with the recipe's digest, and its identifier ("" if missing)."""
    import docker

    try:
        image = client.inspect_image(name)
    except docker.errors.ImageNotFound:
        return "not built", ""
    labels = image["Config"].get("Labels") or {}
    return ("built" if labels.get(label) == digest else "stale"), image["Id"]


def state_of(recipe: Recipe, client: docker.APIClient) -> ImageState:
    """Whether the recipe's image is built and matches the recipe."""
    return find_image(client, image_name(recipe), RECIPE_LABEL, recipe.digest)[0]


def dockerfile(base: str, folder: str, target: str, labels: dict[str, str], variables: dict[str, str]) -> str:
    """A Dockerfile with one COPY onto a base; it runs no command."""
    lines = [f"FROM {base}", f"COPY {folder} {target}"]
    lines += [f"LABEL {key}={msgspec.json.encode(value).decode()}" for key, value in sorted(labels.items())]
    lines += [f"ENV {key}={msgspec.json.encode(value).decode()}" for key, value in sorted(variables.items())]
    return "\n".join(lines) + "\n"


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    archive.addfile(info, io.BytesIO(data))


def _normalise(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Reset owner, group and mode, which depend on the user. Bytecode needs the times unchanged."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode = 0o755 if info.isdir() or info.mode & 0o100 else 0o644
    return info


def _write_environment(venv: Path, archive: tarfile.TarFile, interpreter: str) -> None:
    def select(info: tarfile.TarInfo) -> tarfile.TarInfo | None:
        inside = info.name.removeprefix("env/")
        return None if inside == "pyvenv.cfg" or inside.startswith("bin/python") else _normalise(info)

    archive.add(venv, "env", filter=select)
    home = os.path.dirname(interpreter)  # noqa: PTH120 - a path inside the image
    _add(archive, "env/pyvenv.cfg", f"home = {home}\ninclude-system-site-packages = false\n".encode())
    for name in ("python", "python3"):
        link = tarfile.TarInfo(f"env/bin/{name}")
        link.type, link.linkname, link.mode = tarfile.SYMTYPE, interpreter, 0o777
        archive.addfile(link)


def _build(
    client: docker.APIClient, name: str, dockerfile_text: str, fill: Callable[[tarfile.TarFile], None], cache: Path
) -> str:
    import docker

    # A custom context, because a package's .dockerignore must not affect the image.
    with tempfile.TemporaryFile(dir=cache) as context:
        with tarfile.open(fileobj=context, mode="w", format=tarfile.PAX_FORMAT) as archive:
            _add(archive, "Dockerfile", dockerfile_text.encode())
            fill(archive)
        context.seek(0)
        output: list[str] = []
        try:
            for line in client.build(
                fileobj=context,
                custom_context=True,
                tag=name,
                network_mode="none",
                rm=True,
                forcerm=True,
                decode=True,
            ):
                output.append(str(line.get("error") or line.get("stream") or "").strip())
                if "error" in line:
                    raise EnvironmentLacking(f"the engine cannot build {name}: {output[-1]}")
        except docker.errors.DockerException as error:
            raise EnvironmentLacking(f"the engine cannot build {name}: {error}") from error
    identifier: str = client.inspect_image(name)["Id"]
    return identifier


def ensure_image(recipe: Recipe, client: docker.APIClient, cache: Path, report: Callable[[str], None]) -> BuiltImage:
    """The image of this recipe, built if missing or stale. Raises EnvironmentLacking, ConfigError."""
    import docker

    name = image_name(recipe)
    state, identifier = find_image(client, name, RECIPE_LABEL, recipe.digest)
    if state == "built":
        return BuiltImage(id=identifier, name=name)
    cache.mkdir(parents=True, exist_ok=True)
    with lock_file(cache / "images.lock", report):
        state, old = find_image(client, name, RECIPE_LABEL, recipe.digest)
        if state == "built":
            return BuiltImage(id=old, name=name)
        base = recipe.base
        interpreter = recipe.file.interpreter
        environment = f"bskernel/environment:{recipe.environment_digest[:16]}-{base.digest[:16]}"
        label, digest = "bskernel.environment", f"{recipe.environment_digest} {base.digest} {interpreter}"
        if find_image(client, environment, label, digest)[0] != "built":
            ensure_base(base, client, cache, report)
            venv = ensure_environment(recipe, cache, report).python.parent.parent
            report(f"building the image of {recipe.name}'s environment (once)")
            text = dockerfile(base.reference, "env", "/opt/bskernel/env", {label: digest}, {})
            _build(client, environment, text, lambda archive: _write_environment(venv, archive, interpreter), cache)
        report(f"building {name}" + (": the existing image is from another recipe" if state == "stale" else ""))
        labels = {
            RECIPE_LABEL: recipe.digest,
            "bskernel.executor": recipe.file.executor,
            "bskernel.version": recipe.file.version,
        }
        variables = environment_variables(recipe) | {
            "PYTHONPATH": CODE,
            "PATH": "/opt/bskernel/env/bin:/usr/bin:/bin",
        }
        files = list(recipe.source_files())

        def add_sources(archive: tarfile.TarFile) -> None:
            for path, file in files:
                _add(archive, f"code/{path}", file.read_bytes())
            for path, data in compile_sources(recipe):
                _add(archive, f"code/{path}", data)

        text = dockerfile(environment, "code", CODE, labels, variables)
        identifier = _build(client, name, text, add_sources, cache)
        if state == "stale":
            # The engine refuses while another build's session uses it.
            with contextlib.suppress(docker.errors.APIError):
                client.remove_image(old)
    return BuiltImage(id=identifier, name=name)
