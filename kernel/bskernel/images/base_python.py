"""The Python of a base, unpacked: it compiles an image's bytecode here, as it would in the image.

Patch releases of Python compile some sources to other bytes. An image must not depend on which of them a machine has.
"""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

from bskernel.core.cache_folders import BASES
from bskernel.core.errors import EnvironmentLacking
from bskernel.images.atomic_dir import atomic_dir
from bskernel.images.layer import ImageLayer, leads_out, unpack_member
from bskernel.images.recipe import Recipe
from bskernel.images.usage import note_environment_use

_LOADER = "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
_LIBRARIES = "usr/lib/x86_64-linux-gnu"


def ensure_base_python(
    recipe: Recipe, cache: Path, layer: Callable[[], ImageLayer], report: Callable[[str], None]
) -> list[str]:
    """The command of the Python of a recipe's base of Debian packages, which `layer` gives if it is not unpacked yet.

    Raises EnvironmentLacking for a base without that Python.
    """
    root = cache / BASES / recipe.base.digest
    with atomic_dir(root, report) as folder:
        if folder is not None:
            folder.mkdir()
            _unpack(layer(), folder)
    python = root / recipe.file.interpreter.lstrip("/")
    if not python.exists() or not (root / _LOADER).exists():
        raise EnvironmentLacking(
            f"base {recipe.base.name}: it has no {recipe.file.interpreter}, which {recipe.name} runs in",
            hint="name the base's Python: interpreter in image.toml",
        )
    note_environment_use(root)
    # The loader and libraries of the machine may be older, or others.
    return [str(root / _LOADER), "--library-path", str(root / _LIBRARIES), str(python)]


def standard_library(recipe: Recipe, cache: Path) -> tuple[Path, str]:
    """The folder of the standard library that `ensure_base_python` has unpacked, and its path in images."""
    shown = f"/usr/lib/python{recipe.file.python}"
    return cache / BASES / recipe.base.digest / shown[1:], shown


def _unpack(layer: ImageLayer, folder: Path) -> None:
    """Unpack Python, its standard library and the shared libraries that it may need."""
    with layer.path.open("rb") as file:
        file.seek(layer.offset)
        with tarfile.open(fileobj=file, mode="r|") as archive:
            for member in archive:
                if _is_needed(member.name) and not leads_out(folder, member.name):
                    target = folder / member.name
                    target.parent.mkdir(parents=True, exist_ok=True)
                    unpack_member(archive, member, target)


def _is_needed(name: str) -> bool:
    parent, _, file = name.rpartition("/")
    is_library = parent == _LIBRARIES and ".so" in file
    return is_library or name.startswith(("usr/lib/python3", "usr/bin/python3"))
