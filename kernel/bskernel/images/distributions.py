"""Installed distributions that bring executors: each declares its folder of recipes as an entry point.

    [project.entry-points."bskernel.executors"]
    my-executor = "my_package"

The value names a package, or a folder in one as my_package.recipes. Nothing of it is imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import msgspec

from bskernel.core.errors import ConfigError

GROUP = "bskernel.executors"


class DeclaredFolder(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of recipes, and the distribution that declares it, as NAME VERSION."""

    distribution: str
    folder: Path


def declared_folders(search_path: Sequence[str] | None = None) -> tuple[DeclaredFolder, ...]:
    """The folders that distributions on sys.path declare, each once, in order of the distributions' names.

    Raises ConfigError for one whose package is not there.
    """
    found: dict[str, tuple[DeclaredFolder, ...]] = {}
    for metadata in _declaring(sys.path if search_path is None else search_path):
        # The library takes longer to import than everything here, and hardly anybody has such a distribution.
        from importlib.metadata import Distribution

        distribution = Distribution.at(metadata)
        name = distribution.metadata["Name"] or metadata.name
        known = f"{name} {distribution.version}"
        # Of two installs of one distribution, Python imports the first.
        if name not in found:
            entries = sorted(distribution.entry_points.select(group=GROUP))
            folders = {_folder(entry.value, f"{known}: {entry.name} = {entry.value}") for entry in entries}
            found[name] = tuple(DeclaredFolder(distribution=known, folder=folder) for folder in sorted(folders))
    return tuple(folder for _, folders in sorted(found.items()) for folder in folders)


def _declaring(search_path: Sequence[str]) -> Iterator[Path]:
    """The metadata folders of distributions whose entry points mention the group."""
    for folder in dict.fromkeys(search_path):
        try:
            with os.scandir(folder or ".") as entries:
                names = sorted(entry.name for entry in entries if entry.name.endswith((".dist-info", ".egg-info")))
        except OSError:
            continue  # not there, or an archive
        for name in names:
            try:
                with open(f"{folder}/{name}/entry_points.txt", "rb", buffering=0) as file:  # noqa: PTH123 - quick
                    text = file.read()
            except OSError:
                continue
            if GROUP.encode() in text:
                yield Path(folder, name)


def _folder(value: str, where: str) -> Path:
    package, *inner = value.partition(":")[0].strip().split(".")
    spec = find_spec(package) if package.isidentifier() else None  # a package's own name: this imports nothing
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(
            f"{where}: no installed package {package!r}",
            hint=f"an entry point of {GROUP} names the package with the recipes; install it again, or uninstall it",
        )
    folders = [Path(place, *inner) for place in spec.submodule_search_locations]
    return next((folder for folder in folders if folder.is_dir()), folders[0])
