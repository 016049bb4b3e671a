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
from bskernel.images.base_python import ensure_base_python, standard_library
from bskernel.images.bytecode import CODE, ENVIRONMENT, INSTALLED, compile_below
from bskernel.images.environment import ensure_environment
from bskernel.images.layer import ImageLayer, add_bytes, add_folders, add_path, entry, open_layer, write_layer_file
from bskernel.images.recipe import Recipe

# The layer that an engine has of a base, copied into a folder; None if it has none.
EngineBase = Callable[[Base, Path], ImageLayer | None]
_BYTECODE = "__pycache__"
_OF_THE_MACHINE = {"pyvenv.cfg", ".lock", ".gitignore", "CACHEDIR.TAG", DONE}


class RecipeLayers:
    """Writes layers into a folder, each once; recipes with the same base or environment share them."""

    def __init__(
        self, folder: Path, cache: Path, report: Callable[[str], None], engine_base: EngineBase | None = None
    ) -> None:
        self.folder = folder
        self._engine_base = engine_base
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

    def _compiler(self, recipe: Recipe, python: Path) -> list[str]:
        """The Python of the base; that of the environment where a registry holds the base."""
        if not recipe.base.packages:
            return [str(python)]
        return ensure_base_python(recipe, self._cache, lambda: self._any_base(recipe.base), self._report)

    def _any_base(self, base: Base) -> ImageLayer:
        """The base's layer as the engine has it: nothing is fetched for it then; else from Debian's packages."""
        found = self._engine_base(base, self.folder) if self._engine_base is not None else None
        return found or self.base(base)

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
        interpreter = recipe.file.interpreter
        with (
            tempfile.TemporaryDirectory(dir=self.folder, suffix=mark()) as compiled,
            open_layer(target) as archive,
        ):
            compiler = self._compiler(recipe, python)
            compile_below(venv, ENVIRONMENT, compiler, Path(compiled))
            add_folders(archive, "opt", INSTALLED[1:], ENVIRONMENT[1:])
            for name, path in _files_below(venv, Path(compiled)):
                if name not in _OF_THE_MACHINE and not name.startswith("bin/python"):
                    add_path(archive, f"{ENVIRONMENT[1:]}/{name}", path)
            for name in ("python", "python3"):
                archive.addfile(entry(f"{ENVIRONMENT[1:]}/bin/{name}", tarfile.SYMTYPE, 0o777, target=interpreter))
            home = os.path.dirname(interpreter)  # noqa: PTH120 - a path inside the image
            text = f"home = {home}\ninclude-system-site-packages = false\n"
            add_bytes(archive, f"{ENVIRONMENT[1:]}/pyvenv.cfg", text.encode())
            if recipe.base.packages:
                self._add_library_bytecode(recipe, compiler, archive)

    def _add_library_bytecode(self, recipe: Recipe, compiler: list[str], archive: tarfile.TarFile) -> None:
        """Add the bytecode of the base's standard library: Debian compiles it when a package is installed."""
        library, shown = standard_library(recipe, self._cache)
        with tempfile.TemporaryDirectory(dir=self.folder, suffix=mark()) as compiled:
            compile_below(library, shown, compiler, Path(compiled))
            add_folders(archive, "usr", "usr/lib", shown[1:])
            for path in sorted(Path(compiled).rglob("*")):
                add_path(archive, f"{shown[1:]}/{path.relative_to(compiled)}", path)

    def _write_code(self, recipe: Recipe, target: IO[bytes]) -> None:
        python = ensure_environment(recipe, self._cache, self._report).python
        with tempfile.TemporaryDirectory(dir=self.folder, suffix=mark()) as folder:
            for name, path in recipe.source_files():
                copy = Path(folder) / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
            compile_below(Path(folder), CODE, self._compiler(recipe, python))
            with open_layer(target) as archive:
                add_folders(archive, "opt", INSTALLED[1:], CODE[1:])
                for name, path in _files_below(Path(folder), Path(folder)):
                    add_path(archive, f"{CODE[1:]}/{name}", path)


@contextlib.contextmanager
def recipe_layers(
    cache: Path, report: Callable[[str], None], engine_base: EngineBase | None = None
) -> Iterator[RecipeLayers]:
    """Yield a place for layers in the cache, and remove them afterwards. Raises EnvironmentLacking if it is full."""
    with within(cache_place(cache)):
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="layers-", suffix=mark()) as folder:
            yield RecipeLayers(Path(folder), cache, report, engine_base)


def _files_below(folder: Path, compiled: Path, above: str = "") -> Iterator[tuple[str, Path]]:
    """(relative path, path) of all below a folder, in order, with the bytecode from a folder like it and no other."""
    paths = {path.name: path for path in folder.iterdir() if path.name != _BYTECODE}
    if (compiled / _BYTECODE).is_dir():
        paths[_BYTECODE] = compiled / _BYTECODE
    for name, path in sorted(paths.items()):
        yield f"{above}{name}", path
        if name == _BYTECODE:
            yield from ((f"{above}{name}/{file.name}", file) for file in sorted(path.iterdir()))
        elif path.is_dir() and not path.is_symlink():
            yield from _files_below(path, compiled / name, f"{above}{name}/")
