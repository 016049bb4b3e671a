"""Looks at the files that a build names: whether they exist, their form, and the files that belong to them."""

from __future__ import annotations

import posixpath
import sys
from pathlib import Path

import msgspec
from bskernel_protocol import ArtifactKind

from bskernel.config.reader import read_bytes
from bskernel.core.errors import ConfigError
from bskernel.plan.user_files import JSON, ONNX
from bskernel.store.file_digests import FileDigests

_EXPORT = "give the file that torch.onnx.export, or Brevitas' export_qonnx, wrote"
_LARGEST_JSON = 256 << 20  # bytes
_SHOWN = 200  # characters of a file name that a model gives


class FilesOnDisk:
    """The files of the user on this machine. What was found in a large file is kept in the index of files.

    Each is looked at once: the points of a sweep name the same ones.
    """

    def __init__(self, files: FileDigests) -> None:
        self._files = files
        self._kinds: dict[Path, ArtifactKind | None] = {}
        self._checked: set[tuple[Path, str]] = set()
        self._named: dict[Path, tuple[str, ...]] = {}

    def kind_of(self, path: Path) -> ArtifactKind | None:
        """The kind of artifact at a path; None if there is nothing, or neither a plain file nor a folder."""
        if path not in self._kinds:
            self._kinds[path] = _kind_of(path)
        return self._kinds[path]

    def check(self, path: Path, media_type: str, where: str) -> None:
        """Raise ConfigError for a file that is no ONNX file, or no JSON object, if its media type says so."""
        if (path, media_type) in self._checked:
            return
        sys.audit("bskernel.looked", str(path))
        if path.exists() and not path.is_file():
            raise ConfigError(f"{where}: {path} is not a plain file")
        if media_type == ONNX:
            self._locations(path, where)
        elif media_type == JSON:
            _check_json(path, where)
        self._checked.add((path, media_type))

    def external_data(self, model: Path, where: str) -> tuple[str, ...]:
        """The files beside an ONNX model in which it keeps tensors. Raises ConfigError."""
        if model not in self._named:
            found = {_inside(model, location, where) for location in self._locations(model, where)}
            self._named[model] = tuple(sorted(found))
        return self._named[model]

    def _locations(self, path: Path, where: str) -> tuple[str, ...]:
        try:
            return self._files.names(path.resolve(), lambda _: _find_locations(path, where))
        except (OSError, ValueError) as error:
            raise ConfigError(f"{where}: {path} cannot be read: {error}") from error


def _kind_of(path: Path) -> ArtifactKind | None:
    sys.audit("bskernel.looked", str(path))
    try:
        return "tree" if path.is_dir() else "file" if path.is_file() else None
    except OSError:  # a name that no file can have
        return None


def _find_locations(path: Path, where: str) -> tuple[str, ...]:
    from bskernel.workspace.onnx_file import OnnxDamage, external_locations

    try:
        return tuple(external_locations(path))
    except OnnxDamage as damage:
        raise ConfigError(f"{where}: {path} is no ONNX file: it is {damage}", hint=_EXPORT) from damage


def _inside(model: Path, location: str, where: str) -> str:
    """The path of a file that a model names, relative to the model's folder. Raises ConfigError."""
    shown = location if len(location) <= _SHOWN else f"{location[:_SHOWN]}..."
    name = posixpath.normpath(location)
    if name in {"", "."} or name.startswith(("/", "../")) or name == ".." or "\\" in name or "\0" in name:
        raise ConfigError(
            f"{where}: {model} keeps tensors in {shown!r}, which is not a file in the model's folder",
            hint='save it in one file: onnx.save(onnx.load("net.onnx"), "whole.onnx")',
        )
    path = model.parent / name
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:
        raise ConfigError(
            f"{where}: {model} keeps tensors in {shown!r}, and there is no such file beside it",
            hint="copy that file too: the exporter wrote both",
        ) from error
    if not real.is_relative_to(model.parent.resolve()):
        raise ConfigError(
            f"{where}: {model} keeps tensors in {shown!r}, a link to {real}, outside the model's folder",
            hint="copy the file itself beside the model",
        )
    if not real.is_file():
        raise ConfigError(f"{where}: {model} keeps tensors in {shown!r}, which is not a file")
    return name


def _check_json(path: Path, where: str) -> None:
    try:
        value = msgspec.json.decode(read_bytes(path, most=_LARGEST_JSON))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ConfigError(f"{where}: {path} is not JSON: {_first_error(path)}") from None
    if not isinstance(value, dict):
        kind = "a list" if isinstance(value, list) else "a single value"
        raise ConfigError(
            f"{where}: {path} holds {kind}, not an object",
            hint='an object maps each layer to its settings: { "MVAU_0": { "PE": 4, "SIMD": 8 } }',
        )


def _first_error(path: Path) -> str:
    """Line, column and reason of the first error in a JSON file."""
    import json

    try:
        json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno}: {error.msg}"
    except (UnicodeDecodeError, RecursionError) as error:
        return str(error)
    return "it has a number that JSON does not know, such as NaN"
