"""The build directory: results for people, and the data for a replay."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any, TextIO, TypeVar

import msgspec
from bskernel_protocol import Artifact, StepManifest, canonical_bytes, pretty_json

from bskernel.config.reader import INPUTS, WRITER
from bskernel.core.action import Action
from bskernel.core.errors import ConfigError
from bskernel.core.interfaces import Store
from bskernel.core.places import build_place, place_lacking
from bskernel.core.visible_text import visible
from bskernel.lock.build_lock import BuildLock
from bskernel.lock.lock_file import LOCK
from bskernel.remains.plain_files import discard, make_folder, read_plain
from bskernel.result.exported_artifacts import LAID_NAMES, ExportedArtifacts, Listings, places_of
from bskernel.result.given_files import artifact_of, digests_of_given, lay_given
from bskernel.result.output_folder import (
    IGNORE,
    KEPT,
    MARK,
    clear_for_file,
    clear_for_folder,
    create_text,
    is_fresh,
    keep_unknown_files,
    make_output_folder,
    open_mark,
)
from bskernel.result.report_file import discard_report
from bskernel.result.written_files import WRITTEN, altered_files, replace, write, written_note
from bskernel.store.seal import seal, unseal

RESULT, METRICS, FAILURE, CONFIG = "result.json", "metrics.json", "failure.txt", "config.json"
BUILD_LOG = "log.jsonl"
_LIMIT = 64 << 20  # bytes of a small file
_STEPS = "steps"
STAMP = ".stamp"
CLOSED = ".closed"  # the digests of what is written after result.json, or beside it by others
_STEP_FILES = ("action.msgpack", "manifest.msgpack", "log.jsonl")
NOTED_LAST = (BUILD_LOG, MARK, IGNORE, WRITER, LAID_NAMES)
_actions = msgspec.msgpack.Decoder(Action)
_manifests = msgspec.msgpack.Decoder(StepManifest)


T = TypeVar("T")


class HardlinkCache:
    """Files of steps in sibling build directories, by content: equal files are hard links to one.

    None of these files is ever written to: what changes is replaced.
    """

    def __init__(self) -> None:
        self.listings: Listings = {}  # of the trees that the directories hold
        self._paths: dict[str, str] = {}

    def link(self, sha256: str, size: int, path: str) -> bool:
        """Make `path`, which must not exist, a link to a file with that content; False when there is none."""
        twin = self._paths.get(sha256)
        return twin is not None and _linked(twin, size, path)

    def note(self, sha256: str, path: str) -> None:
        """Note the content of a file."""
        self._paths[sha256] = path


def _linked(twin: str, size: int, path: str) -> bool:
    """Make `path` a link to a file of that size; False when it cannot be, also because `path` exists."""
    try:
        # The file still has its content unless somebody overwrote it; then its length mostly differs.
        if os.stat(twin).st_size != size:
            return False
        os.link(twin, path)
    except OSError:
        return False
    return True


class _Files(msgspec.Struct, frozen=True, kw_only=True):
    files: dict[str, str] = {}


class RecordedStep(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a step in a build directory."""

    folder: Path
    sizes: tuple[int, ...]  # of its files, in bytes
    digests: tuple[str, ...]  # SHA-256 of each


def lock_folder(path: Path, what: str, below: Path | None = None) -> IO[str]:
    """Make a folder and lock it against other writers of the same kind, until the returned lock is closed.

    `below` is the project's folder if the project chose `path`. Raises ConfigError, also for a folder with files that
    no build or sweep made.
    """
    try:
        make_output_folder(path, below)
        lock = open_mark(path)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ConfigError(
            f"{path}: another {what} is writing here", hint="wait for it, or choose another folder with --output"
        ) from None
    except OSError as error:
        lacking = place_lacking(error, build_place(path))
        raise lacking or ConfigError(f"{path}: not writable: {error.strerror}") from error
    return lock


class BuildDirectory:
    """config.json, steps/NN-NAME/ of every step, artifacts/ (by-step/STEP/ in it), metrics.json, result.json.

    A build that failed has a failure.txt.
    """

    def __init__(self, path: Path, twins: HardlinkCache | None = None, below: Path | None = None) -> None:
        """With `twins`, files of steps may be hard links into other build directories.

        `below` is the project's folder if the project chose `path`: nothing between the two may be a link.
        """
        self.path = path
        self._below = below
        self._twins = twins
        self._lock: IO[str] | None = None
        self._exported = False
        self._is_fresh = False  # nothing was in it when it was opened
        self._labels: dict[str, set[str]] | None = None  # step name -> its folders
        self._recorded: dict[str, str] = {}  # path of a file of this build -> its SHA-256

    def open(self) -> None:
        """Make and lock the directory. Raises ConfigError."""
        self._lock = lock_folder(self.path, "build", self._below)
        self._is_fresh = is_fresh(self.path)
        if self._is_fresh:
            return
        for name in (STAMP, CLOSED):
            discard(self.path / name)
        discard_report(self.path)
        for name in (RESULT, FAILURE, METRICS, CONFIG, LOCK, BUILD_LOG):
            clear_for_file(self.path / name, self.path / KEPT / name)
        clear_for_folder(self.path / _STEPS, self.path / KEPT / _STEPS)
        for name in (RESULT, FAILURE):
            discard(self._last(name))
            with contextlib.suppress(FileNotFoundError):
                (self.path / name).rename(self._last(name))

    def open_log(self) -> TextIO:
        """A new log of the build, in a directory that is open. Raises OSError."""
        return create_text(self.path / BUILD_LOG)

    def _last(self, name: str) -> Path:
        return self.path / f".{name}.last"

    def restore(self) -> None:
        """Put back the result of the last build here, unless its artifacts have been replaced: this one cannot be."""
        for name in (RESULT, FAILURE) if not self._exported else ():
            with contextlib.suppress(OSError):
                self._last(name).rename(self.path / name)

    def close(self) -> None:
        """Unlock the directory."""
        if self._lock is not None:
            self._lock.close()

    def step(self, label: str) -> Path:
        """The folder of one step."""
        return self.path / _STEPS / label

    def last_action(self, name: str) -> Action | None:
        """The action of the step of that name in the last build here; None without one."""
        labels = sorted(self._labels_of(name))
        return _decoded(_actions, self.step(labels[-1]) / "action.msgpack") if labels else None

    def last_actions(self) -> dict[str, Action]:
        """Step name -> its action in the last build here."""
        actions = {}
        for path in sorted((self.path / _STEPS).glob("*/action.msgpack")):
            action = _decoded(_actions, path)
            if action is not None:
                actions[path.parent.name.partition("-")[2]] = action
        return actions

    def actions_of(self, keys: Mapping[str, str | None]) -> dict[str, Action | None]:
        """The actions by which steps came to their keys: step name -> key.

        None where there is another one: a directory may hold the action of an earlier build, or of another result.
        """
        last = self.last_actions()
        found = {name: last.get(name) for name in keys}
        return {
            name: action if action is not None and action.key.sha256 == keys[name] else None
            for name, action in found.items()
        }

    def record_step(self, label: str, action: Action, manifest: StepManifest, log: bytes | None) -> RecordedStep:
        """Write a step's action, manifest and log."""
        folder = self._made_for(label)
        files = (canonical_bytes(action), canonical_bytes(manifest), log or b"")
        digests = tuple(hashlib.sha256(data).hexdigest() for data in files)
        for name, data, sha256 in zip(_STEP_FILES, files, digests, strict=True):
            path = f"{folder}/{name}"
            if self._twins is None or not self._twins.link(sha256, len(data), path):
                self._replace(path, data)
                if self._twins is not None:
                    self._twins.note(sha256, path)
        self._note_step(label, digests)
        return RecordedStep(folder=Path(folder), sizes=tuple(map(len, files)), digests=digests)

    def _note_step(self, label: str, digests: Iterable[str]) -> None:
        for name, sha256 in zip(_STEP_FILES, digests, strict=True):
            self._recorded[f"{_STEPS}/{label}/{name}"] = sha256

    def record_same_step(self, label: str, twin: RecordedStep) -> bool:
        """Link a step's files from another build directory; False when that is not possible."""
        folder = self._made_for(label)
        for name, size in zip(_STEP_FILES, twin.sizes, strict=True):
            if not _linked(f"{twin.folder}/{name}", size, f"{folder}/{name}"):
                return False
        self._note_step(label, twin.digests)
        return True

    def _made_for(self, label: str) -> str:
        """The step's folder; its folders from other positions in the plan are removed."""
        folder = f"{self.path}/{_STEPS}/{label}"
        if not self._is_fresh:
            self._remove_stale(label)
        try:
            os.makedirs(folder)
        except OSError:
            self._clear_step(label)
        return folder

    def _remove_stale(self, label: str) -> None:
        for stale in self._labels_of(label.partition("-")[2]) - {label}:
            for name in _STEP_FILES:
                discard(self.step(stale) / name)
            with contextlib.suppress(OSError):  # files of the user's stay
                self.step(stale).rmdir()
            self._labels_of(label.partition("-")[2]).discard(stale)

    def _clear_step(self, label: str) -> None:
        """Make way for a step's folder and files where something is in their place."""
        folder, kept = self.step(label), self.path / KEPT / _STEPS / label
        clear_for_folder(folder, kept)
        make_folder(folder)
        for name in _STEP_FILES:
            clear_for_file(folder / name, kept / name)

    def _labels_of(self, name: str) -> set[str]:
        """The folders of a step of that name at the start of this build."""
        if self._labels is None:
            self._labels = {}
            with contextlib.suppress(FileNotFoundError):
                for label in (path.name for path in (self.path / _STEPS).iterdir()):
                    self._labels.setdefault(label.partition("-")[2], set()).add(label)
        return self._labels.get(name, set())

    def manifest(self, step: str) -> tuple[Path, StepManifest]:
        """Folder and manifest of a step by its name or index. Raises ConfigError with the choices."""
        folders = sorted(path.parent for path in (self.path / _STEPS).glob("*/manifest.msgpack"))
        for folder in folders:
            index, _, name = folder.name.partition("-")
            if step in {name, folder.name} or (step.isdecimal() and index.isdecimal() and int(step) == int(index)):
                manifest = _decoded(_manifests, folder / "manifest.msgpack")
                if manifest is None:
                    raise ConfigError(
                        f"{folder / 'manifest.msgpack'}: not the manifest of a step", hint="run the build again"
                    )
                return folder, manifest
        names = ", ".join(folder.name.partition("-")[2] for folder in folders)
        raise ConfigError(f"{self.path}: unknown step {step!r}", hint=f"steps: {names or 'none'}")

    def manifests(self) -> list[tuple[Path, StepManifest]]:
        """Folder and manifest of every recorded step, in order; damaged ones are left out."""
        found = []
        for path in sorted((self.path / _STEPS).glob("*/manifest.msgpack")):
            manifest = _decoded(_manifests, path)
            if manifest is not None:
                found.append((path.parent, manifest))
        return found

    def export(
        self, artifacts: Iterable[Artifact], by_step: Mapping[str, Iterable[Artifact]], store: Store
    ) -> tuple[str, ...]:
        """Export artifacts to artifacts/, and those of single steps to by-step/STEP/, unless they are there already.

        Returns those whose bytes are gone or damaged; when there are any, nothing is changed.
        """
        exported = ExportedArtifacts(self.path, self._twins.listings if self._twins is not None else None)
        places = places_of(artifacts, by_step)
        if self._is_fresh and not self._exported and exported.export_first(places, store):
            self._exported = True
            return ()
        before = exported.identity
        damaged = exported.export(places, store)
        self._exported |= exported.identity != before
        return damaged

    def altered(self, artifacts: Iterable[Artifact], by_step: Mapping[str, Iterable[Artifact]]) -> tuple[str, ...]:
        """What in the directory is not as its build wrote it: "artifacts/model: missing", "metrics.json: altered"."""
        return (
            *altered_files(self.path),
            *ExportedArtifacts(self.path).altered(places_of(artifacts, by_step)),
        )

    @property
    def has_notes(self) -> bool:
        """True when the last build here noted what it wrote."""
        return (self.path / WRITTEN).exists()

    def write_config(self, config: Any) -> None:
        """Write config.json, the resolved configuration."""
        self._write(CONFIG, pretty_json(config).encode())

    def write_lock(self, text: str | None) -> None:
        """Write build.lock; remove it without one."""
        if text is None:
            discard(self.path / LOCK)
        else:
            self._write(LOCK, text.encode())

    def write_inputs(self, lock: BuildLock, store: Store) -> tuple[str, ...]:
        """Write copies of what the build was given to inputs/; returns what the store has lost.

        Files of the user's there go to kept/.
        """
        fresh, folder, kept = self.path / f"{INPUTS}.new", self.path / INPUTS, self.path / KEPT / INPUTS
        discard(fresh)
        lost = lay_given(lock, fresh, lambda key, content, to: store.materialise(artifact_of(key, content), to))
        clear_for_folder(folder, kept)
        keep_unknown_files(folder, self._last_inputs(), lambda name: kept / name, kept)
        discard(folder)
        fresh.rename(folder)
        found = digests_of_given(lock, store)
        self._recorded |= {f"{INPUTS}/{name}": sha256 for name, sha256 in found.items()}
        return lost

    def _last_inputs(self) -> frozenset[str]:
        """What the last build here wrote to inputs/."""
        try:
            data = read_plain(self._last(RESULT), _LIMIT) or b"{}"
            files = msgspec.json.decode(data, type=_Files).files
        except (msgspec.DecodeError, ValueError, RecursionError):
            return frozenset()
        return frozenset(name.removeprefix(f"{INPUTS}/") for name in files if name.startswith(f"{INPUTS}/"))

    def _replace(self, path: str | Path, data: bytes) -> None:
        if self._is_fresh:  # there is nothing to compare with
            write(path, data)
        else:
            replace(path, data)

    def _write(self, name: str, data: bytes) -> None:
        self._replace(self.path / name, data)
        self._recorded[name] = hashlib.sha256(data).hexdigest()

    def digests(self, last: Mapping[str, bytes]) -> dict[str, str]:
        """Path of each file of this build but artifacts, logs of the build and result.json -> its SHA-256.

        `last` are the files that `write_results` will write.
        """
        return self._recorded | {name: hashlib.sha256(data).hexdigest() for name, data in last.items()}

    def write_results(self, result: str, last: Mapping[str, bytes]) -> None:
        """Write the `last_files` and, last of all, the text of result.json, which marks a finished build.

        A file of an earlier build that this one does not write is removed.
        """
        files = {RESULT: result.encode(), **last}
        beside = {name: self._recorded[name] for name in (CONFIG, LOCK) if name in self._recorded}
        self._replace(self.path / WRITTEN, written_note(files, beside))
        for name in (METRICS, FAILURE, RESULT):
            if name in files:
                self._replace(self.path / name, files[name])
            else:
                discard(self.path / name)
        if not self._is_fresh:
            for name in (RESULT, FAILURE):
                discard(self._last(name))

    def note_rest(self) -> None:
        """Note the digests of the log and of what bskernel keeps here for itself. The last thing that is written."""
        found = {name: data for name in NOTED_LAST if (data := read_plain(self.path / name, _LIMIT)) is not None}
        digests = {name: hashlib.sha256(data).hexdigest() for name, data in found.items()}
        self._replace(self.path / CLOSED, seal(CLOSED, msgspec.msgpack.encode(digests)))

    def write_stamp(self, text: str) -> None:
        """Write the stamp of a complete directory; the next build here removes it."""
        self._replace(self.path / STAMP, seal(STAMP, msgspec.msgpack.encode(text)))

    def stamp(self) -> str | None:
        """The stamp, if there is one beside a result."""
        data = unseal(STAMP, read_plain(self.path / STAMP, _LIMIT))
        if data is None or not (self.path / RESULT).is_file():
            return None
        return msgspec.msgpack.decode(data, type=str)


def last_files(metrics: Any, failure: str | None) -> dict[str, bytes]:
    """The content of metrics.json and failure.txt, as far as there are any."""
    files = {}
    if metrics is not None:
        files[METRICS] = pretty_json(metrics).encode()
    if failure is not None:
        files[FAILURE] = visible(failure).encode() + b"\n"
    return files


def _decoded(decoder: msgspec.msgpack.Decoder[T], path: Path) -> T | None:
    """A small file's content; None when it is missing, damaged or no plain file."""
    data = read_plain(path, _LIMIT)
    try:
        return decoder.decode(data) if data is not None else None
    except (msgspec.DecodeError, ValueError, TypeError, RecursionError):
        return None
