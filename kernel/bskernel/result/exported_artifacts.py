"""The folder artifacts/ of a build directory: laid out from the store, and compared with what was laid out.

`.laid` beside it holds the digest of each file, and its `stat` from just after it was written. A file whose `stat` is
the same was not written to since: programs cannot set a change time back. After a reboot every file is read once,
because a power failure can change bytes without a trace.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, TypeAlias

import msgspec
from bskernel_protocol import Artifact, Digest, TreeListing, canonical_bytes, decode_document

from bskernel.core.interfaces import OutputViolation, Store
from bskernel.host.process import boot
from bskernel.remains.folder import RemainsRefused, opened_folder
from bskernel.remains.limits import limits_from
from bskernel.remains.plain_files import discard, open_plain, read_plain
from bskernel.result.output_folder import KEPT, clear_for_folder, keep_unknown_files
from bskernel.result.written_files import replace
from bskernel.store.file_digests import FileDigests
from bskernel.store.seal import seal, unseal
from bskernel.store.trees import list_tree

ARTIFACTS, BY_STEP = "artifacts", "by-step"
LAID = ".laid"
LAID_NAMES = ".files"  # the paths of all files that builds here ever wrote to artifacts/
_LIMIT = 512 << 20  # bytes of .laid
_CHUNK = 1 << 20  # bytes
_FEW = 64  # files of a tree whose listing is kept for the next build
_SUFFIXES = {
    "application/x-fpga-bitstream": ".bit",
    "application/x-onnx": ".onnx",
    "application/json": ".json",
    "text/x-vcd": ".vcd",
}


class _LaidFile(NamedTuple):
    sha256: str
    size: int
    mode: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int


class LaidArtifacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The note of what was laid out, with the `stat` of each file."""

    boot: str
    wanted: dict[str, str]  # path of an artifact -> SHA-256
    files: dict[str, _LaidFile]  # every file, by its path


_decoder = msgspec.msgpack.Decoder(LaidArtifacts)
Listings: TypeAlias = dict[Digest, dict[str, str]]  # digest of a tree -> its files and their SHA-256


def places_of(artifacts: Iterable[Artifact], by_step: Mapping[str, Iterable[Artifact]]) -> dict[str, Artifact]:
    """Path below artifacts/ -> the artifact there; those of single steps are in by-step/STEP/."""
    places = {_file_name(artifact): artifact for artifact in artifacts}
    return places | {
        f"{BY_STEP}/{step}/{_file_name(artifact)}": artifact for step, made in by_step.items() for artifact in made
    }


class ExportedArtifacts:
    """artifacts/ of one build directory."""

    def __init__(self, build: Path, listings: Listings | None = None) -> None:
        """`listings` are known from other builds; those of this one are added."""
        self._build = build
        self._listings = {} if listings is None else listings
        self._folder = build / ARTIFACTS
        self._old = build / f"{ARTIFACTS}.old"
        self._new = build / f"{ARTIFACTS}.new"

    @property
    def identity(self) -> tuple[int, int] | None:
        """What distinguishes the folder from one that replaces it; None when there is none."""
        try:
            status = os.lstat(self._folder)
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def export(self, places: Mapping[str, Artifact], store: Store) -> tuple[str, ...]:
        """Lay out the artifacts, unless exactly they are there already.

        Returns those whose bytes are gone or damaged; when there are any, nothing is changed.
        """
        self._remove_old(places)  # of a build that was killed
        if not self.altered(places, same_modes=True):
            return ()
        discard(self._new)
        if damaged := self._lay_aside(places, store):
            return damaged
        clear_for_folder(self._folder, self._build / KEPT / ARTIFACTS)
        # A folder that cannot be emptied, because somebody made it read-only, can still be renamed.
        with contextlib.suppress(FileNotFoundError):
            self._folder.rename(self._old)
        self._new.rename(self._folder)
        self._remove_old(places)
        return ()

    def export_first(self, places: Mapping[str, Artifact], store: Store) -> bool:
        """Lay out the artifacts where nothing was before; False if that fails, for whatever reason."""
        try:
            if self._lay_aside(places, store):
                return False
            self._new.rename(self._folder)
        except OSError:  # somebody has put something there
            return False
        return True

    def _lay_aside(self, places: Mapping[str, Artifact], store: Store) -> tuple[str, ...]:
        """Lay out the artifacts in a new folder; returns those whose bytes are gone or damaged, and then nothing."""
        self._new.mkdir()
        try:
            damaged = self._lay_out(places, store, self._new)
        except OSError:
            discard(self._new)
            raise
        if damaged:
            discard(self._new)
        return damaged

    def _lay_out(self, places: Mapping[str, Artifact], store: Store, fresh: Path) -> tuple[str, ...]:
        damaged = tuple(path for path, artifact in places.items() if not store.materialise(artifact, fresh / path))
        listed = None if damaged else self._listed(places, store)
        if listed is None:
            return damaged or tuple(places)
        files = {path: _with(sha256, os.lstat(f"{fresh}/{path}")) for path, sha256 in listed.items()}
        self._write(LaidArtifacts(boot=boot(), wanted=_digests(places), files=files))
        replace(self._build / LAID_NAMES, msgspec.json.encode(sorted(self._known() | {*files})))
        return ()

    def _listed(self, places: Mapping[str, Artifact], store: Store) -> dict[str, str] | None:
        """Path of each file of the artifacts -> its SHA-256; None when the listing of a tree is gone."""
        files: dict[str, str] = {}
        for place, artifact in places.items():
            if artifact.kind == "file":
                files[place] = artifact.digest.sha256
                continue
            inside = self._listings.get(artifact.digest)
            if inside is None:
                data = store.get(artifact.digest)
                listing = decode_document(data) if data is not None else None
                if not isinstance(listing, TreeListing):
                    return None
                inside = {file.path: file.digest.sha256 for file in listing.files}
                if len(inside) <= _FEW:
                    self._listings[artifact.digest] = inside
            files |= {f"{place}/{path}": sha256 for path, sha256 in inside.items()}
        return files

    def _known(self) -> frozenset[str]:
        return _names_in(read_plain(self._build / LAID_NAMES, _LIMIT))

    def _remove_old(self, places: Mapping[str, Artifact]) -> None:
        """Remove artifacts.old; what no build wrote goes to artifacts/, or to kept/ where only artifacts belong.

        Only a folder that has been replaced is emptied, so a kill at any time loses no file of the user's.
        """
        if not os.path.lexists(self._old):
            return
        taken, kept = (f"{BY_STEP}/", *(f"{place}/" for place in places)), self._build / KEPT

        def place_of(name: str) -> Path:
            return (kept if f"{name}/".startswith(taken) else self._folder) / name

        keep_unknown_files(self._old, self._known(), place_of, kept)
        discard(self._old)

    def altered(self, places: Mapping[str, Artifact], *, same_modes: bool = False) -> tuple[str, ...]:
        """What is not as it was laid out: "PATH: missing", "PATH: altered", ... Reads what may have been written to.

        Without `same_modes` only the right to execute a file counts, because copies have other modes.
        """
        laid = self._read()
        if laid is None or laid.wanted != _digests(places):
            if same_modes:
                return (f"{ARTIFACTS}: other artifacts",)
            return self._unlike(places)
        found = _plain_files(self._folder, places)
        problems = [f"{path}: {_kind(self._folder / path)}" for path in laid.files if not found.get(path)]
        problems += [f"{path}: not written by the build" for path in found.keys() - laid.files.keys()]
        read: dict[str, _LaidFile] = {}
        for path in sorted(path for path in laid.files if found.get(path)):
            problem = self._compare(path, laid, read, same_modes=same_modes)
            if problem is not None:
                problems.append(f"{path}: {problem}")
        if not problems and (read or laid.boot != boot()):
            with contextlib.suppress(OSError):
                self._write(msgspec.structs.replace(laid, boot=boot(), files=laid.files | read))
        return tuple(sorted(_shown(f"{ARTIFACTS}/{problem}") for problem in problems))

    def _compare(self, path: str, laid: LaidArtifacts, read: dict[str, _LaidFile], *, same_modes: bool) -> str | None:
        """Why a file is not as it was laid out; None if it is. Notes in `read` what had to be read."""
        known = laid.files[path]
        try:
            status = os.lstat(f"{self._folder}/{path}")
            if laid.boot == boot() and known == _with(known.sha256, status) and _has_exact_times(known):
                return None
            now = _described(self._folder / path)
        except OSError as error:
            return f"cannot be read: {error.strerror}"
        if (now.sha256, now.size) != (known.sha256, known.size):
            return "altered"
        if now.mode != known.mode if same_modes else (now.mode ^ known.mode) & stat.S_IXUSR:
            return f"mode {stat.S_IMODE(now.mode):04o}, not {stat.S_IMODE(known.mode):04o}"
        read[path] = now
        return None

    def _unlike(self, places: Mapping[str, Artifact]) -> tuple[str, ...]:
        """Artifacts without the digests that they should have, where nothing says what was laid out."""
        digests = FileDigests()
        problems = []
        for path, artifact in places.items():
            full = self._folder / path
            try:
                if artifact.kind == "file":
                    os.close(open_plain(full))
                    same = digests.of(full) == artifact.digest
                else:
                    listed = canonical_bytes(_list_artifact(full, artifact.name, digests))
                    same = hashlib.sha256(listed).hexdigest() == artifact.digest.sha256
            except (OSError, OutputViolation, RemainsRefused, ValueError):
                problems.append(f"{ARTIFACTS}/{path}: {_kind(full)}")
                continue
            if not same:
                problems.append(f"{ARTIFACTS}/{path}: altered")
        return tuple(sorted(problems))

    def _read(self) -> LaidArtifacts | None:
        return None if self._folder.is_symlink() else read_laid(self._build)

    def _write(self, laid: LaidArtifacts) -> None:
        replace(self._build / LAID, seal(LAID, msgspec.msgpack.encode(laid)))


def read_laid(build: Path) -> LaidArtifacts | None:
    """The note of what the last build laid out in artifacts/; None if there is none, or a byte of it has changed."""
    body = unseal(LAID, read_plain(build / LAID, _LIMIT))
    try:
        return _decoder.decode(body) if body is not None else None
    except (msgspec.DecodeError, ValueError):
        return None


def _names_in(data: bytes | None) -> frozenset[str]:
    try:
        return msgspec.json.decode(data or b"[]", type=frozenset[str])
    except (msgspec.DecodeError, ValueError):
        return frozenset()


def _list_artifact(folder: Path, name: str, digests: FileDigests) -> TreeListing:
    with opened_folder(folder) as root:
        return list_tree(root, name, limits_from(), lambda _, inside: digests.of(folder / inside))


def _digests(places: Mapping[str, Artifact]) -> dict[str, str]:
    return {path: artifact.digest.sha256 for path, artifact in places.items()}


def _file_name(artifact: Artifact) -> str:
    return f"{artifact.name}{_SUFFIXES.get(artifact.media_type, '')}"


def _plain_files(folder: Path, places: Mapping[str, Artifact]) -> dict[str, bool]:
    """The paths of all that is at the places of artifacts and in by-step, but for folders: is it a plain file?

    Follows no link.
    """
    found: dict[str, bool] = {}
    for place, artifact in places.items():
        if any((folder / part).is_symlink() for part in _parents(place)):
            continue
        with contextlib.suppress(OSError):
            mode = os.lstat(folder / place).st_mode
            if not stat.S_ISDIR(mode):
                found[place] = stat.S_ISREG(mode)
                continue
        if artifact.kind == "tree":
            found |= _walked(folder, place)
    # Nothing but artifacts belongs into this one.
    return found if (folder / BY_STEP).is_symlink() else found | _walked(folder, BY_STEP)


def _walked(folder: Path, top: str) -> dict[str, bool]:
    found: dict[str, bool] = {}
    inner = [top]
    while inner:
        at = inner.pop()
        with contextlib.suppress(OSError), os.scandir(folder / at) as scan:
            for entry in scan:
                if entry.is_dir(follow_symlinks=False):
                    inner.append(f"{at}/{entry.name}")
                else:
                    found[f"{at}/{entry.name}"] = entry.is_file(follow_symlinks=False)
    return found


def _parents(place: str) -> list[str]:
    parts = place.split("/")
    return ["/".join(parts[:at]) for at in range(1, len(parts))]


def _shown(line: str) -> str:
    """The line as one that is safe to print: a name can hold anything."""
    return line if line.isprintable() else ascii(line)


def _kind(path: Path) -> str:
    """What is there in place of what was laid out."""
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return "missing"
    if stat.S_ISREG(mode):
        return "altered"
    kinds = ((stat.S_ISLNK, "a link"), (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a FIFO"))
    return "replaced by " + next((word for is_kind, word in kinds if is_kind(mode)), "something else")


def _with(sha256: str, status: os.stat_result) -> _LaidFile:
    return _LaidFile(
        sha256,
        status.st_size,
        status.st_mode,
        status.st_mtime_ns,
        status.st_ctime_ns,
        status.st_ino,
        status.st_dev,
    )


def _has_exact_times(known: _LaidFile) -> bool:
    """False where the file system counts whole seconds: two writes within one look the same."""
    return known.ctime_ns % 10**9 != 0


def _described(path: Path) -> _LaidFile:
    """A plain file's digest and `stat`. Raises OSError."""
    hasher = hashlib.sha256()
    with os.fdopen(open_plain(path), "rb", buffering=0) as file:
        before = os.fstat(file.fileno())
        while data := file.read(_CHUNK):
            hasher.update(data)
    return _with(hasher.hexdigest(), before)
