"""Exports a build as an RO-Crate: its directory, and what other tools read about it, in a folder or a ZIP file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec
from bskernel_protocol import pretty_json

from bskernel.commands.export import BuildDamaged, read_intact
from bskernel.config.reader import INPUTS
from bskernel.core.errors import ConfigError
from bskernel.core.places import place_lacking
from bskernel.host.temporary import mark
from bskernel.lock.build_lock import BuildLock
from bskernel.lock.lock_file import LOCK, read_lock
from bskernel.remains.plain_files import discard, open_plain, read_plain
from bskernel.result.build_directory import BUILD_LOG
from bskernel.result.build_result import BuildResult
from bskernel.result.exported_artifacts import ARTIFACTS, places_of
from bskernel.result.given_files import places_of_given
from bskernel.result.provenance.crate import METADATA, README, BuildRun, HeldData, HeldFile, make_crate, make_readme
from bskernel.result.result_file import read_result

ZIP = ".zip"
_LIMIT = 1 << 30  # bytes of the log of a build
_CHUNK = 1 << 20  # bytes
_TIME = (1980, 1, 1, 0, 0, 0)  # of every file of a ZIP, so that the same build gives the same bytes
_OCTETS = "application/octet-stream"  # says nothing


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    event: str
    timestamp: str


class ExportedCrate(msgspec.Struct, frozen=True, kw_only=True):
    """A crate that was written, and how many files of the build are in it."""

    path: Path
    files: int


def export_crate(build: Path, target: Path) -> ExportedCrate:
    """Write a crate of a build: a new folder, or a new file if its name ends in .zip.

    Raises BuildDamaged; ConfigError, EnvironmentLacking where it cannot be written.
    """
    if os.path.lexists(target):
        raise ConfigError(f"{target} already exists", hint="remove it, or choose another name with --crate")
    if target.resolve().is_relative_to(build.resolve()):
        raise ConfigError(f"{target} is in the build directory", hint="choose a place outside with --crate")
    lock, digests = read_lock(build / LOCK), read_intact(build)
    files = {path: HeldFile(sha256=sha256, size=(build / path).stat().st_size) for path, sha256 in digests.items()}
    result = read_result(build, BuildResult)
    metadata = make_crate(lock, _run_of(build, result), files, _inputs(lock, build), _outputs(result), workflow=LOCK)
    texts = {README: make_readme(lock).encode(), METADATA: pretty_json(metadata).encode()}
    temporary = target.with_name(f".{target.name}{mark()}")
    write = _write_zip if target.suffix == ZIP else _write_folder
    try:
        write(temporary, texts, build, lock.label, digests)
        temporary.rename(target)
    except OSError as error:
        named = OSError(error.errno, error.strerror, str(target))
        raise place_lacking(named) or ConfigError(f"{target}: cannot be written: {error.strerror}") from error
    finally:
        discard(temporary)
    return ExportedCrate(path=target, files=len(files))


def _run_of(build: Path, result: BuildResult) -> BuildRun:
    """When the build began and ended, by its log, and how."""
    times = {}
    with contextlib.suppress(msgspec.DecodeError, ValueError):
        for line in (read_plain(build / BUILD_LOG, _LIMIT) or b"").splitlines():
            event = msgspec.json.decode(line, type=_Event)
            times[event.event] = datetime.fromisoformat(event.timestamp).isoformat(timespec="milliseconds")
    if "build ended" not in times:
        raise ConfigError(f"{build / BUILD_LOG}: does not say when the build ended", hint="run the build again")
    problem = result.failure.message if result.failure is not None else result.stopped_by
    return BuildRun(
        status=result.status, problem=problem, started=times.get("build started"), ended=times["build ended"]
    )


def _inputs(lock: BuildLock, build: Path) -> tuple[HeldData, ...]:
    places = {key: f"{INPUTS}/{place}" for key, place in places_of_given(lock).items()}
    return tuple(
        HeldData(
            name=key,
            kind=content.kind,
            sha256=content.sha256,
            place=places[key] if (build / places[key]).exists() else None,
        )
        for key, content in sorted(lock.files.items())
    )


def _outputs(result: BuildResult) -> tuple[HeldData, ...]:
    return tuple(
        HeldData(
            name=artifact.name,
            kind=artifact.kind,
            sha256=artifact.digest.sha256,
            media_type=artifact.media_type if artifact.media_type != _OCTETS else None,
            place=f"{ARTIFACTS}/{place}",
        )
        for place, artifact in sorted(places_of(result.artifacts.values(), {}).items())
    )


def _write_folder(folder: Path, texts: dict[str, bytes], build: Path, name: str, digests: dict[str, str]) -> None:
    folder.mkdir()
    for path in ("", *_folders(build)):
        (folder / name / path).mkdir()
    for path, text in texts.items():
        (folder / path).write_bytes(text)
    for path, sha256 in sorted(digests.items()):
        target = folder / name / path
        with target.open("wb") as file:
            for data in _read(build / path, sha256):
                file.write(data)
        target.chmod(_mode(build / path))


def _write_zip(file: Path, texts: dict[str, bytes], build: Path, name: str, digests: dict[str, str]) -> None:
    with zipfile.ZipFile(file, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for path, text in texts.items():
            archive.writestr(_entry(path, 0o644), text)
        for path in ("", *(f"{folder}/" for folder in _folders(build))):
            archive.writestr(_entry(f"{name}/{path}", 0o755 | stat.S_IFDIR), b"", zipfile.ZIP_STORED)
        for path, sha256 in sorted(digests.items()):
            entry = _entry(f"{name}/{path}", _mode(build / path))
            entry.file_size = (build / path).stat().st_size
            with archive.open(entry, "w") as inside:
                for data in _read(build / path, sha256):
                    inside.write(data)


def _entry(path: str, mode: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, date_time=_TIME)
    entry.external_attr = (mode | (0 if stat.S_ISDIR(mode) else stat.S_IFREG)) << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _folders(build: Path) -> list[str]:
    """The folders in the build directory, the empty ones too: an artifact can be one."""
    return sorted(str(Path(parent, name).relative_to(build)) for parent, names, _ in os.walk(build) for name in names)


def _mode(path: Path) -> int:
    return 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644


def _read(path: Path, sha256: str) -> Iterator[bytes]:
    """The bytes of a file that was found intact. Raises BuildDamaged if it has changed since."""
    hasher = hashlib.sha256()
    with os.fdopen(open_plain(path), "rb", buffering=0) as file:
        while data := file.read(_CHUNK):
            hasher.update(data)
            yield data
    if hasher.hexdigest() != sha256:
        raise BuildDamaged(
            f"{path}: altered while it was exported", hint="export the build when nothing writes to it"
        )
