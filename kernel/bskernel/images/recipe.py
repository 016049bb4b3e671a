"""The recipe of an executor: a folder images/EXECUTOR/VERSION with its lock, and the sources that it names."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import msgspec
from bskernel_protocol import Catalogue, canonical_bytes, digest_of_bytes

from bskernel.config.decoder import convert
from bskernel.config.reader import read_toml
from bskernel.core.catalogue import ExecutorInfo, Executors
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.step import ExecutorRef
from bskernel.images.base import Base, read_base
from bskernel.images.git_source import GitSource
from bskernel.store.file_digests import FileDigests

# Wheels for this C library run on the base image and on every recent host. The choice of wheels must not depend on
# the host's own library.
PLATFORM = f"{os.uname().machine}-manylinux_2_28"
CONSTANT = {
    "LANG": "C.UTF-8",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
    "PYTHONHASHSEED": "0",
    "PYTHONNOUSERSITE": "1",
    "SOURCE_DATE_EPOCH": "315532800",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class Edit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An exact-match edit of an installed library: `find` occurs exactly once in `file` (under site-packages)."""

    file: str
    find: str
    replace: str
    reason: str


class ImageFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of image.toml."""

    executor: str
    version: str
    summary: str
    module: str
    sources: tuple[str, ...]
    python: str = "3.11"
    base: str = "debian-12-python"
    interpreter: str = "/usr/bin/python3.11"
    default: bool = False
    environment: dict[str, str] = {}
    edit: tuple[Edit, ...] = ()
    source: tuple[GitSource, ...] = ()  # git repositories in addition to the lock; `sources` are the executor's files

    def __post_init__(self) -> None:
        names = [source.name for source in self.source]
        if len(set(names)) != len(names):
            raise ValueError(f"two sources have the same name: {', '.join(names)}")


class Recipe:
    """An image.toml with its folder. Digests are computed once, on first use."""

    def __init__(self, root: Path, folder: Path, file: ImageFile, files: FileDigests) -> None:
        self._files = files
        self.root = root
        self.folder = folder
        self.file = file

    @property
    def name(self) -> str:
        """NAME@VERSION."""
        return f"{self.file.executor}@{self.file.version}"

    @property
    def module(self) -> str:
        """The Python module that registers the executor's entries."""
        return self.file.module

    @property
    def lock(self) -> Path:
        """The path of the locked requirements with their hashes."""
        return self.folder / "requirements.lock"

    def source_files(self) -> Iterator[tuple[str, Path]]:
        """(path inside PYTHONPATH, file) of each source, in order. Raises ConfigError for a missing one."""
        for source in self.file.sources:
            path = _locate_source(self.root, source)
            if path.is_file():
                yield source.partition("/")[2], path
            elif path.is_dir():
                folder = source.partition("/")[2]
                for name in sorted(_files_in(str(path)), key=lambda name: name.split("/")):
                    yield f"{folder}/{name}" if folder else name, path / name
            else:
                raise ConfigError(f"{self.folder / 'image.toml'}: sources: no such file or folder: {path}")

    @cached_property
    def environment_digest(self) -> str:
        """The digest of what an environment is made of: Python version, platform, lock, edits and git sources."""
        edits = [msgspec.to_builtins(edit) for edit in self.file.edit]
        parts: list[object] = [self.file.python, PLATFORM, _read(self.lock), edits]
        if self.file.source:
            parts.append([source.content for source in self.file.source])
        return digest_of_bytes(canonical_bytes(parts)).sha256

    @cached_property
    def base(self) -> Base:
        """The base of the container image. Raises ConfigError."""
        try:
            return read_base(self.root, self.file.base)
        except ConfigError as error:
            raise ConfigError(f"{self.folder / 'image.toml'}: {error.message}", hint=error.hint) from error

    @cached_property
    def code_digest(self) -> str:
        """The digest of the sources' paths and bytes."""
        files = [[name, self._files.of(path).sha256] for name, path in self.source_files()]
        return digest_of_bytes(canonical_bytes(sorted(files))).sha256

    @cached_property
    def digest(self) -> str:
        """The digest of everything that can change the executor's outputs.

        These are base, environment, code, module and variables. The base counts in every runtime, so that a cache key
        means the same wherever the step ran.
        """
        parts = [
            self.base.digest,
            self.environment_digest,
            self.code_digest,
            self.module,
            environment_variables(self),
        ]
        return digest_of_bytes(canonical_bytes(parts)).sha256

    @property
    def ref(self) -> ExecutorRef:
        """The executor that the recipe describes."""
        return ExecutorRef(name=self.file.executor, version=self.file.version, digest=self.digest)


def _locate_source(root: Path, source: str) -> Path:
    """Return where a source of image.toml lies: in the checkout, or, beside installed recipes, in its package."""
    workspace, _, name = source.partition("/")
    if (root / workspace).is_dir():
        return root / source
    package = find_spec(name.partition("/")[0])
    folders = (package and package.submodule_search_locations) or [str(root / workspace)]
    return Path(folders[0]).parent / name


def _files_in(folder: str, above: str = "") -> Iterator[str]:
    """The relative paths of all files below a folder, except Python's bytecode."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name != "__pycache__":
                    yield from _files_in(entry.path, f"{above}{entry.name}/")
            elif entry.is_file():
                yield f"{above}{entry.name}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error


def environment_variables(recipe: Recipe) -> dict[str, str]:
    """The variables of an executor's process that are the same on every machine."""
    return {
        **CONSTANT,
        **recipe.file.environment,
        "BSKERNEL_EXECUTOR": recipe.name,
        "BSKERNEL_EXECUTOR_MODULE": recipe.module,
    }


def locate_root() -> Path:
    """The folder with images/ and docker/: BSKERNEL_ROOT, the checkout of this package, or the installed recipes.

    Raises EnvironmentLacking.
    """
    named = os.environ.get("BSKERNEL_ROOT")
    root = Path(named).resolve() if named else Path(__file__).resolve().parents[3]
    installed = None if named or (root / "images").is_dir() else find_spec("bskernel_recipes")
    if installed and installed.submodule_search_locations:
        root = Path(installed.submodule_search_locations[0])
    if not (root / "images").is_dir():
        raise EnvironmentLacking(
            f"no such folder: {root / 'images'}, which holds the executors' recipes",
            hint="install bskernel-recipes, or set BSKERNEL_ROOT to a checkout of bskernel",
        )
    return root


def find_recipes(root: Path, files: FileDigests | None = None) -> tuple[Recipe, ...]:
    """All recipes under images/, in order of path. `files` holds known digests of files. Raises ConfigError."""
    files = files or FileDigests()
    recipes = []
    for path in sorted((root / "images").glob("*/*/image.toml")):
        file = convert(read_toml(path), ImageFile, path)
        if (file.executor, file.version) != (path.parent.parent.name, path.parent.name):
            raise ConfigError(f"{path}: its executor {file.executor}@{file.version} does not match its folder")
        recipes.append(Recipe(root, path.parent, file, files))
    return tuple(recipes)


def load_executors(recipes: tuple[Recipe, ...]) -> Executors:
    """Every recipe with its catalogue.json; recipes without one are `undescribed`."""
    known, undescribed = [], []
    for recipe in recipes:
        path = recipe.folder / "catalogue.json"
        if not path.exists():
            undescribed.append(recipe.ref)
            continue
        info = ExecutorInfo(
            name=recipe.file.executor,
            version=recipe.file.version,
            default=recipe.file.default,
            digest=functools.partial(getattr, recipe, "digest"),
            catalogue=functools.partial(_read_catalogue, path),
        )
        known.append(info)
    return Executors(known=tuple(known), undescribed=tuple(undescribed))


def _read_catalogue(path: Path) -> Catalogue:
    try:
        return msgspec.json.decode(_read(path), type=Catalogue)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}", hint="regenerate it: bskernel images describe") from error
