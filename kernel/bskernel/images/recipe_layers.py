"""The layers of a recipe's image: base, environment, code. Each is written when it is first asked for."""

from __future__ import annotations

import contextlib
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from bskernel.core.errors import EnvironmentLacking
from bskernel.core.places import cache_place, within
from bskernel.host.temporary import mark
from bskernel.images.atomic_dir import DONE
from bskernel.images.base import Base
from bskernel.images.base_layer import fetch_package, write_layer
from bskernel.images.bytecode import INSTALLED, compile_below
from bskernel.images.environment import ensure_environment
from bskernel.images.layer import ImageLayer, add_bytes, add_folders, add_path, entry, open_layer, write_layer_file
from bskernel.images.recipe import Recipe

ENVIRONMENT = f"{INSTALLED}/env"
CODE = f"{INSTALLED}/code"
_OF_THE_MACHINE = {"pyvenv.cfg", ".lock", ".gitignore", "CACHEDIR.TAG", DONE}


class RecipeLayers:
    """Writes layers into a folder, each once; recipes with the same base or environment share them."""

    def __init__(self, folder: Path, cache: Path, report: Callable[[str], None]) -> None:
        self.folder = folder
        self._cache = cache
        self._report = report
        self._written: dict[str, ImageLayer] = {}

    def base(self, base: Base) -> ImageLayer:
        """The layer of a base of Debian packages. Raises EnvironmentLacking."""
        return self._once(f"base {base.digest}", lambda target: self._write_base(base, target))

    def environment(self, recipe: Recipe) -> ImageLayer:
        """The layer of the recipe's environment. Raises EnvironmentLacking, ConfigError."""
        key = f"environment {recipe.environment_digest} {recipe.file.interpreter}"
        return self._once(key, lambda target: self._write_environment(recipe, target))

    def code(self, recipe: Recipe) -> ImageLayer:
        """The layer of the recipe's sources. Raises EnvironmentLacking, ConfigError."""
        return self._once(f"code {recipe.code_digest}", lambda target: self._write_code(recipe, target))

    def _once(self, key: str, fill: Callable[[IO[bytes]], None]) -> ImageLayer:
        if key not in self._written:
            self._written[key] = write_layer_file(self.folder, fill)
        return self._written[key]

    def _write_base(self, base: Base, target: IO[bytes]) -> None:
        self._report(f"making the base {base.name} from {len(base.packages)} Debian packages")
        debs = (fetch_package(package, self._cache).read_bytes() for package in base.packages)
        try:
            write_layer(debs, target)
        except (ValueError, tarfile.TarError) as error:
            raise EnvironmentLacking(f"base {base.name}: {error}") from error

    def _write_environment(self, recipe: Recipe, target: IO[bytes]) -> None:
        python = ensure_environment(recipe, self._cache, self._report).python
        venv = python.parent.parent
        self._report(f"packing the environment of {recipe.name}")
        # What its Python compiled on import names times.
        compile_below(venv, "env", python)
        interpreter = recipe.file.interpreter
        with open_layer(target) as archive:
            add_folders(archive, "opt", INSTALLED[1:], ENVIRONMENT[1:])
            for name, path in _files_below(venv):
                if name not in _OF_THE_MACHINE and not name.startswith("bin/python"):
                    add_path(archive, f"{ENVIRONMENT[1:]}/{name}", path)
            for name in ("python", "python3"):
                archive.addfile(entry(f"{ENVIRONMENT[1:]}/bin/{name}", tarfile.SYMTYPE, 0o777, target=interpreter))
            home = os.path.dirname(interpreter)  # noqa: PTH120 - a path inside the image
            text = f"home = {home}\ninclude-system-site-packages = false\n"
            add_bytes(archive, f"{ENVIRONMENT[1:]}/pyvenv.cfg", text.encode())

    def _write_code(self, recipe: Recipe, target: IO[bytes]) -> None:
        python = ensure_environment(recipe, self._cache, self._report).python
        with tempfile.TemporaryDirectory(dir=self.folder, suffix=mark()) as folder:
            for name, path in recipe.source_files():
                copy = Path(folder) / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
            compile_below(Path(folder), "code", python)
            with open_layer(target) as archive:
                add_folders(archive, "opt", INSTALLED[1:], CODE[1:])
                for name, path in _files_below(Path(folder)):
                    add_path(archive, f"{CODE[1:]}/{name}", path)


@contextlib.contextmanager
def recipe_layers(cache: Path, report: Callable[[str], None]) -> Iterator[RecipeLayers]:
    """Yield a place for layers in the cache, and remove them afterwards. Raises EnvironmentLacking if it is full."""
    with within(cache_place(cache)):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="layers-", suffix=mark()) as folder:
            yield RecipeLayers(Path(folder), cache, report)


def _files_below(folder: Path, above: str = "") -> Iterator[tuple[str, Path]]:
    """(relative path, path) of all below a folder, in order; of bytecode only what belongs to a source beside it."""
    for path in sorted(folder.iterdir(), key=lambda path: path.name):
        name = f"{above}{path.name}"
        if path.name == "__pycache__" and path.is_dir():
            wanted = [file for file in sorted(path.iterdir()) if _is_compiled(file)]
            if wanted:
                yield name, path
                yield from ((f"{name}/{file.name}", file) for file in wanted)
            continue
        yield name, path
        if path.is_dir() and not path.is_symlink():
            yield from _files_below(path, f"{name}/")


def _is_compiled(path: Path) -> bool:
    """True for bytecode that `compile_below` has written: it has no time in it."""
    module, _, rest = path.name.partition(".")
    if rest.count(".") != 1 or not rest.endswith(".pyc") or not path.parent.with_name(f"{module}.py").is_file():
        return False
    with path.open("rb") as file:
        return file.read(8)[4:] == (1).to_bytes(4, "little")
