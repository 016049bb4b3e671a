"""Reads result.json, the file that a build writes last."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from bskernel.core.errors import ConfigError
from bskernel.result.build_directory import RESULT

ViewT = TypeVar("ViewT", bound=msgspec.Struct)


# What decoding a damaged file raises; nesting ends in a RecursionError.
DAMAGED = (msgspec.DecodeError, ValueError, TypeError, RecursionError)


def read_document(file: Path) -> bytes:
    """The bytes of a plain file that the user names; a FIFO is not waited for. Raises OSError."""
    if file.exists() and not (file.is_file() or file.is_dir()):
        raise OSError(errno.EINVAL, "not a plain file", str(file))
    return file.read_bytes()


def result_path(build: Path) -> Path:
    """The result.json of a build directory; any other path is taken for a result.json."""
    return build / RESULT if build.is_dir() else build


def read_result(build: Path, view: type[ViewT]) -> ViewT:
    """Read the result of a finished build from its directory or its result.json.

    `view` is a struct of the fields that the caller needs: those must be there; fields that only other versions of
    bskernel write are ignored. Raises ConfigError that names the file, what is wrong and what to do.
    """
    file = result_path(build)
    if file.exists() and not file.is_file():
        raise ConfigError(f"{file}: is not a plain file", hint="give a directory that `bskernel run` wrote")
    try:
        return msgspec.json.decode(read_document(file), type=view, dec_hook=_decode_path)
    except FileNotFoundError as error:
        if (file.parent / "steps").is_dir():
            why, hint = ": the build is running, or was killed", "run it again: finished steps are cached"
        else:
            why = f": {build} is not a build directory" if build.is_dir() else ""
            hint = "give a directory that `bskernel run` wrote, or its result.json"
        raise ConfigError(f"{file}: no such file{why}", hint=hint) from error
    except OSError as error:
        raise ConfigError(
            f"{file}: cannot be read: {error.strerror}", hint="check that it is a readable file"
        ) from error
    except DAMAGED as error:
        raise ConfigError(
            f"{file}: not the result of a build: {error}", hint="run the build again with this version of bskernel"
        ) from error


def _decode_path(type_: type, value: Any) -> Any:
    return Path(value) if type_ is Path else value
