"""The recipe of an executor: a folder images/EXECUTOR/VERSION with its lock, and the sources that it names."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

import msgspec
from bskernel_protocol import Catalogue, canonical_bytes, digest_of_bytes

from bskernel.core.catalogue import ExecutorInfo, Executors
from bskernel.core.errors import ConfigError
from bskernel.core.step import ExecutorRef
from bskernel.images.base import Base, read_base
from bskernel.images.git_source import GitSource
from bskernel.store.file_digests import FileDigests

_MEMBERS = ("protocol", "executors")  # where a checkout has bskernel's modules
_MOST_FILES = 20_000  # of one recipe's sources: nobody means a home folder

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
    # modules of bskernel, as bskernel_executors/sdk; files and folders of its own, from image.toml on, as ../../mine
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
    """An image.toml with its folder. Digests are computed once, on first use.

    `root` holds bskernel's own modules and bases. `origin` says how the recipe was found, "" for one of bskernel's.
    """

    def __init__(self, root: Path, folder: Path, file: ImageFile, files: FileDigests, origin: str = "") -> None:
        self._files = files
        self.root = root
        self.folder = folder
        self.file = file
        self.origin = origin
        self.hidden: tuple[Recipe, ...] = ()  # of the same name, later in the search path

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
        count = 0
        for source in self.file.sources:
            name, path = self._locate(source)
            if path.is_file():
                yield name, path
            elif path.is_dir():
                for inner in sorted(_files_in(str(path), self._recipes), key=lambda inner: inner.split("/")):
                    count += 1
                    if count > _MOST_FILES:
                        raise ConfigError(
                            f"{self._where}: {source!r} brings more than {_MOST_FILES:,} files: {path}",
                            hint="name the packages that the executor imports",
                        )
                    yield f"{name}/{inner}", path / inner
            else:
                raise ConfigError(f"{self._where}: no such file or folder: {path}")

    def _locate(self, source: str) -> tuple[str, Path]:
        """Return the path of a source inside PYTHONPATH, and where it is: in a checkout, or in its installed package.

        A source that begins with a dot is relative to image.toml; it is imported by its own name.
        """
        if source.startswith(("./", "../")):
            own = Path(os.path.normpath(self.folder.absolute() / source))
            return own.name, own
        package, *inner = source.split("/")
        for member in _MEMBERS:
            sys.audit("bskernel.looked", str(self.root / member / package))
            if (self.root / member / package).is_dir():
                return source, self.root / member / source
        # A name with a dot would import what is before it.
        spec = find_spec(package) if package.isidentifier() else None
        if spec is None or spec.origin is None or not spec.submodule_search_locations:
            raise ConfigError(
                f"{self._where}: {source!r}: no installed package {package!r}",
                hint="bskernel's modules are named like bskernel_executors/sdk, files of your own from image.toml on:"
                " ./NAME or ../NAME",
            )
        return source, Path(spec.submodule_search_locations[0], *inner)

    @property
    def _where(self) -> str:
        return f"{self.folder / 'image.toml'}: sources"

    @property
    def _recipes(self) -> Path:
        """The folder of recipes, which is no code although it may be in the executor's package."""
        return Path(os.path.normpath(self.folder.absolute().parent.parent))

    @cached_property
    def environment_digest(self) -> str:
        """The digest of what an environment is made of: Python version, platform, lock, edits and git sources."""
        edits = [msgspec.to_builtins(edit) for edit in self.file.edit]
        lock = _read(self.lock, hint=f"make it: bskernel images lock {self.name}")
        parts: list[object] = [self.file.python, PLATFORM, lock, edits]
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

    @cached_property
    def packages_digest(self) -> str:
        """SHA-256 of requirements.lock."""
        return self._files.of(self.lock).sha256

    @property
    def edits_digest(self) -> str | None:
        """The digest of the edits of its libraries; None without any."""
        edits = [msgspec.to_builtins(edit) for edit in self.file.edit]
        return digest_of_bytes(canonical_bytes(edits)).sha256 if edits else None

    @property
    def ref(self) -> ExecutorRef:
        """The executor that the recipe describes."""
        return ExecutorRef(name=self.file.executor, version=self.file.version, digest=self.digest)


def _files_in(folder: str, left_out: Path, above: str = "") -> Iterator[str]:
    """The relative paths of all files below a folder, except Python's bytecode and the folder `left_out`."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                left = entry.name == left_out.name and left_out.samefile(entry.path)
                if entry.name != "__pycache__" and not left:
                    yield from _files_in(entry.path, left_out, f"{above}{entry.name}/")
            elif entry.is_file():
                yield f"{above}{entry.name}"


def _read(path: Path, hint: str | None = None) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}", hint=hint) from error


def environment_variables(recipe: Recipe) -> dict[str, str]:
    """The variables of an executor's process that are the same on every machine."""
    return {
        **CONSTANT,
        **recipe.file.environment,
        "BSKERNEL_EXECUTOR": recipe.name,
        "BSKERNEL_EXECUTOR_MODULE": recipe.module,
    }


def load_executors(recipes: tuple[Recipe, ...]) -> Executors:
    """Every recipe with its catalogue.json; recipes without one are `undescribed`."""
    known, undescribed = [], []
    for recipe in recipes:
        path = recipe.folder / "catalogue.json"
        sys.audit("bskernel.looked", str(path))
        if not path.exists():
            undescribed.append(recipe.ref)
            continue
        info = ExecutorInfo(
            name=recipe.file.executor,
            version=recipe.file.version,
            default=recipe.file.default,
            digest=functools.partial(getattr, recipe, "digest"),
            catalogue=functools.partial(_read_catalogue, path),
            shipped=not recipe.origin,
        )
        known.append(info)
    return Executors(known=tuple(known), undescribed=tuple(undescribed))


def _read_catalogue(path: Path) -> Catalogue:
    try:
        return msgspec.json.decode(_read(path), type=Catalogue)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: {error}", hint="regenerate it: bskernel images describe NAME --write") from error
