"""Compares every byte of a build directory with what its result says of it.

result.json has the digests of artifacts and of all other files. Its own, those of the log and of the files that
bskernel keeps for itself are in sealed files, which no changed byte leaves readable. What an altered file says of
others counts for nothing: the others are not named for it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from bskernel_protocol import Artifact, Digest, TreeFile, TreeListing, canonical_bytes

from bskernel.core.errors import ConfigError
from bskernel.remains.plain_files import open_plain, read_plain
from bskernel.result.build_directory import CLOSED, NOTED_LAST, RESULT, STAMP
from bskernel.result.exported_artifacts import ARTIFACTS, LAID, places_of, read_laid
from bskernel.result.output_folder import files_below
from bskernel.result.report_file import REPORT, read_report
from bskernel.result.result_file import read_result
from bskernel.result.written_files import WRITTEN
from bskernel.store.seal import unseal

_LIMIT = 1 << 30  # bytes of a sealed file
_CHUNK = 1 << 20  # bytes
_SEALED = (WRITTEN, CLOSED, LAID, STAMP)
ALTERED, MISSING, EXTRA = "altered", "missing", "not written by the build"


class Damage(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A file of a build directory that is not as its build wrote it."""

    path: str
    what: str

    def __str__(self) -> str:
        path = self.path if self.path.isprintable() else ascii(self.path)
        return f"{path}: {self.what}"


class CheckedContents(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at every byte of a build directory has found."""

    digests: dict[str, str]  # path of each plain file -> SHA-256
    damage: tuple[Damage, ...]

    @property
    def files(self) -> int:
        """How many plain files there are."""
        return len(self.digests)


class _Named(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of result.json that say what is in the directory."""

    artifacts: dict[str, Artifact]
    by_step: dict[str, dict[str, Artifact]]
    files: dict[str, str]


class _FoundFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is there; without a digest it is no plain file, or cannot be read."""

    digest: Digest | None
    executable: bool = False


def check_contents(build: Path) -> CheckedContents:
    """Read every file of a build directory and compare it. Raises ConfigError if there is no result of a build."""
    if not (build / RESULT).is_file():
        read_result(build, _Named)  # says what is missing
    found = {str(path.relative_to(build)): _read(path) for path in files_below(build)}
    problems = [Damage(path=name, what=_broken(build, name)) for name in _SEALED if _is_broken(build, name, found)]
    written, closed = (_sealed_digests(build, name) for name in (WRITTEN, CLOSED))
    problem: str | None = None
    try:
        result = read_result(build, _Named)
        noted = {RESULT: written[RESULT]} if RESULT in written else {}
        problem = next((one.what for one in _compare(noted, found)), None)
    except ConfigError as error:
        problem = _reason(error, build)
    if problem is not None:
        problems += [Damage(path=RESULT, what=problem), *_compare(_without_result(written) | closed, found)]
        return CheckedContents(digests=_digests(found), damage=tuple(sorted(set(problems))))
    laid = read_laid(build)
    places = places_of(result.artifacts.values(), {step: made.values() for step, made in result.by_step.items()})
    expected = result.files | closed
    if laid is not None and laid.wanted != {place: one.digest.sha256 for place, one in places.items()}:
        problems.append(Damage(path=LAID, what="of other artifacts"))
        laid = None
    of_artifacts = {f"{ARTIFACTS}/{place}": known.sha256 for place, known in laid.files.items()} if laid else {}
    problems += _compare(expected | of_artifacts, found)
    problems += _modes(
        {f"{ARTIFACTS}/{place}": known.mode for place, known in laid.files.items()} if laid else {}, found
    )
    named = {problem.path for problem in problems}
    for place, artifact in places.items():
        path = f"{ARTIFACTS}/{place}"
        below = {name for name in found if name == path or name.startswith(f"{path}/")}
        if not any(name == path or name.startswith(f"{path}/") for name in named) and not _is(artifact, path, found):
            problems.append(Damage(path=path, what=ALTERED if below else MISSING))
        if laid is None:
            expected |= dict.fromkeys(below, "")
    known = expected.keys() | of_artifacts.keys() | {*_SEALED, RESULT}
    if not closed:
        known |= set(NOTED_LAST)
    if (report := read_report(build)) is not None:
        digest = found[RESULT].digest if RESULT in found else None
        if not report.is_whole:
            problems.append(Damage(path=REPORT, what=ALTERED))
            known |= {REPORT}
        elif RESULT in named or (digest is not None and report.shows == digest.sha256):
            known |= {REPORT}  # `bskernel report` wrote it, of this very result
    problems += [Damage(path=name, what=EXTRA) for name in found.keys() - known]
    return CheckedContents(digests=_digests(found), damage=tuple(sorted(set(problems))))


def _without_result(written: Mapping[str, str]) -> dict[str, str]:
    return {name: sha256 for name, sha256 in written.items() if name != RESULT}


def split_artifacts(digests: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The digests of a build's artifacts, and those of its other files: path -> SHA-256."""
    artifacts = {name: sha256 for name, sha256 in digests.items() if name.startswith(f"{ARTIFACTS}/")}
    return artifacts, {name: sha256 for name, sha256 in digests.items() if name not in artifacts}


def _digests(found: Mapping[str, _FoundFile]) -> dict[str, str]:
    return {name: one.digest.sha256 for name, one in found.items() if one.digest is not None}


def _compare(expected: Mapping[str, str], found: Mapping[str, _FoundFile]) -> Iterator[Damage]:
    for name, sha256 in expected.items():
        if name not in found:
            yield Damage(path=name, what=MISSING)
        elif (digest := found[name].digest) is None:
            yield Damage(path=name, what="no plain file, or not readable")
        elif digest.sha256 != sha256:
            yield Damage(path=name, what=ALTERED)


def _modes(expected: Mapping[str, int], found: Mapping[str, _FoundFile]) -> Iterator[Damage]:
    """Copies have other modes; only the right to execute a file counts."""
    for name, mode in expected.items():
        if name in found and found[name].executable != bool(mode & stat.S_IXUSR):
            yield Damage(path=name, what=f"{'not ' if mode & stat.S_IXUSR else ''}executable now")


def _is(artifact: Artifact, path: str, found: Mapping[str, _FoundFile]) -> bool:
    """True when what is at a path has the artifact's digest."""
    if artifact.kind == "file":
        return path in found and found[path].digest == artifact.digest
    inside = {name.removeprefix(f"{path}/"): one for name, one in found.items() if name.startswith(f"{path}/")}
    files = tuple(
        TreeFile(path=name, digest=one.digest, executable=one.executable)
        for name, one in sorted(inside.items())
        if one.digest is not None
    )
    listed = canonical_bytes(TreeListing(files=files))
    return len(files) == len(inside) and hashlib.sha256(listed).hexdigest() == artifact.digest.sha256


def _is_broken(build: Path, name: str, found: Mapping[str, _FoundFile]) -> bool:
    if name not in found:
        return name != STAMP  # which only points of a sweep have
    return unseal(name, read_plain(build / name, _LIMIT)) is None


def _broken(build: Path, name: str) -> str:
    return ALTERED if os.path.lexists(build / name) else MISSING


def _sealed_digests(build: Path, name: str) -> dict[str, str]:
    body = unseal(name, read_plain(build / name, _LIMIT))
    if body is None:
        return {}
    return msgspec.msgpack.decode(body, type=dict[str, str])


def _reason(error: ConfigError, build: Path) -> str:
    return error.message.removeprefix(f"{build / RESULT}: ")


def _read(path: Path) -> _FoundFile:
    try:
        hasher, size = hashlib.sha256(), 0
        with os.fdopen(open_plain(path), "rb", buffering=0) as file:
            mode = os.fstat(file.fileno()).st_mode
            while data := file.read(_CHUNK):
                hasher.update(data)
                size += len(data)
    except OSError:
        return _FoundFile(digest=None)
    digest = Digest(sha256=hasher.hexdigest(), size=size)
    return _FoundFile(digest=digest, executable=bool(mode & stat.S_IXUSR))
