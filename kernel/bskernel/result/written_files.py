"""The files at the top of a build directory: replaced as a whole, and compared with what the last build wrote."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from bskernel.remains.plain_files import discard, move, read_plain, write_new
from bskernel.store.seal import seal, unseal

WRITTEN = ".written"
_LIMIT = 1 << 30  # bytes of any of these files
_decoder = msgspec.msgpack.Decoder(dict[str, str])


def replace(path: str | Path, data: bytes) -> None:
    """Write a file, whole or not at all, over whatever is there; one with these bytes stays as it is.

    Builds often change nothing. Reading is quick; replacing a file makes some file systems wait for the disk.
    """
    if read_plain(path, len(data)) != data:
        write(path, data)


def write(path: str | Path, data: bytes) -> None:
    """Write a file, whole or not at all, over whatever is there."""
    folder, name = os.path.split(path)
    temporary = f"{folder}/.{name}.new"
    try:
        write_new(temporary, data)
    except FileExistsError:
        discard(temporary)
        write_new(temporary, data)
    move(temporary, path)


def note_written(folder: Path, files: Mapping[str, bytes], known: Mapping[str, str]) -> None:
    """Note the content of the files that a build writes there, by their names; of some the SHA-256 is `known`."""
    replace(folder / WRITTEN, written_note(files, known))


def written_note(files: Mapping[str, bytes], known: Mapping[str, str]) -> bytes:
    """The bytes of that note."""
    digests = {**known, **{name: hashlib.sha256(data).hexdigest() for name, data in files.items()}}
    return seal(WRITTEN, msgspec.msgpack.encode(dict(sorted(digests.items()))))


def altered_files(folder: Path) -> tuple[str, ...]:
    """The noted files that are missing or have other bytes now: "result.json: altered", ...; none without a note."""
    body = unseal(WRITTEN, read_plain(folder / WRITTEN, _LIMIT))
    written: dict[str, str] = {}
    if body is not None:
        with contextlib.suppress(msgspec.DecodeError, ValueError):
            written = _decoder.decode(body)
    problems = []
    for name, sha256 in written.items():
        data = read_plain(folder / name, _LIMIT)
        if data is None:
            problems.append(f"{name}: missing or no plain file")
        elif hashlib.sha256(data).hexdigest() != sha256:
            problems.append(f"{name}: altered")
    return tuple(problems)
