"""Makes an environment from the layer of an image, where no package index can be reached."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Callable
from pathlib import Path

from bskernel.core.errors import ConfigError
from bskernel.images.atomic_dir import atomic_dir
from bskernel.images.bytecode import ENVIRONMENT
from bskernel.images.environment import make_venv
from bskernel.images.layer import ImageLayer, leads_out, unpack_member
from bskernel.images.recipe import Recipe

_INSIDE = f"{ENVIRONMENT[1:]}/"


def unpack_environment(recipe: Recipe, layer: ImageLayer, cache: Path, report: Callable[[str], None]) -> None:
    """Make the recipe's environment unless it exists. Raises EnvironmentLacking, ConfigError for an unsafe layer."""
    with atomic_dir(cache / "envs" / recipe.environment_digest, report) as folder:
        if folder is None:
            return
        report(f"unpacking the environment of {recipe.name}")
        make_venv(recipe, folder)
        with layer.path.open("rb") as file:
            file.seek(layer.offset)
            with tarfile.open(fileobj=file, mode="r|") as archive:
                for member in archive:
                    name = member.name.removeprefix(_INSIDE)
                    is_own = name != member.name and name != "pyvenv.cfg" and not name.startswith("bin/python")
                    if is_own:
                        _unpack(archive, member, folder, name, f"{layer.path}: {member.name}")


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, name: str, where: str) -> None:
    if leads_out(folder, name):
        raise ConfigError(f"{where}: leads out of the environment")
    if member.issym():
        inside = os.path.normpath(os.path.join(Path(name).parent, member.linkname))  # noqa: PTH118 - not on the disk
        if inside.startswith(("..", "/")):
            raise ConfigError(f"{where}: links to {member.linkname}, out of the environment")
    if not unpack_member(archive, member, folder / name):
        raise ConfigError(f"{where}: neither a file, a folder nor a link")
