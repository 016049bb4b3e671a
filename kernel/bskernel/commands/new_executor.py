"""Writes the package of a new executor, which works as it is: only its entries are left to write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import msgspec

from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.images import recipes_here

_TEMPLATES = Path(__file__).parent / "executor_package"
_ENDING = ".template"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 60  # of a name, in characters
_OURS = frozenset({"executors", "protocol", "recipes"})  # bskernel-NAME is a package of bskernel's


class NewPackage(msgspec.Struct, frozen=True, kw_only=True):
    """A package that was written, with the paths of its files in it."""

    name: str
    module: str
    folder: Path
    files: tuple[Path, ...]


def write_package(name: str, folder: Path | None) -> NewPackage:
    """Write the package of an executor into `folder`, by default one of its name in the current folder.

    Overwrites nothing. Raises ConfigError for a name that is not possible or taken, or for files that are there;
    EnvironmentLacking where it cannot write.
    """
    _check_name(name)
    folder = folder or Path(name)
    module = f"bskernel_{name.replace('-', '_')}"
    texts = dict(_texts({"NAME": name, "MODULE": module, "BSKERNEL": version("bskernel")}))
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{folder}: there is a file of this name", hint="choose a folder with --directory")
    present = [str(path) for path in texts if (folder / path).exists()]
    if present:
        raise ConfigError(
            f"{folder}: has {', '.join(present[:3])}{' and more' if len(present) > 3 else ''} already, and nothing is"
            " overwritten",
            hint="choose another folder with --directory, or move them away",
        )
    for path, text in texts.items():
        try:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            with (folder / path).open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise EnvironmentLacking(f"{folder / path}: cannot be written: {error.strerror}") from error
    return NewPackage(name=name, module=module, folder=folder, files=tuple(texts))


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        near = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-0123456789")[:_LONGEST]
        raise ConfigError(
            f"{name!r} cannot be the name of an executor",
            hint=f"lower-case letters, digits and single dashes, at most {_LONGEST} characters, a letter first; e.g."
            f" {near if _NAME.fullmatch(near) else 'onnx-stats'}",
        )
    if name in _OURS:
        raise ConfigError(f"bskernel-{name} is a package of bskernel's", hint="choose another name")
    for recipe in recipes_here():
        if recipe.file.executor == name:
            raise ConfigError(f"there is an executor {name}: {recipe.folder}", hint="choose another name")


def _texts(values: dict[str, str]) -> Iterator[tuple[Path, str]]:
    """(path in the package, text) of each file, in order of path."""
    for template in sorted(_TEMPLATES.rglob(f"*{_ENDING}")):
        path, text = str(template.relative_to(_TEMPLATES)), template.read_text(encoding="utf-8")
        for key, value in values.items():
            path = path.replace(key, value)
            text = text.replace(f"@{key}@", value)
        yield Path(path.removesuffix(_ENDING).replace("dot-", ".")), text
