"""The build directory: results for people, and the data for a replay."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import msgspec
from bskernel_protocol import Artifact, StepManifest, canonical_bytes, pretty_json

from bskernel.core.action import Action
from bskernel.core.errors import ConfigError
from bskernel.core.interfaces import Store
from bskernel.core.places import build_place, place_lacking

RESULT, FAILURE, CONFIG, BY_STEP = "result.json", "failure.txt", "config.json", "by-step"
_STAMP = ".stamp"
_WRITER = ".config"  # holds the name of the configuration file that was built here last
_STEP_FILES = ("action.msgpack", "manifest.msgpack", "log.jsonl")
_actions = msgspec.msgpack.Decoder(Action)
_manifests = msgspec.msgpack.Decoder(StepManifest)
_SUFFIXES = {"application/x-onnx": ".onnx", "application/json": ".json", "text/x-vcd": ".vcd"}


class HardlinkCache:
    """Files of steps in sibling build directories, by content: equal files are hard links to one.

    None of these files is ever written to: what changes is replaced.
    """

    def __init__(self) -> None:
        self._paths: dict[bytes, Path] = {}

    def link(self, data: bytes, path: Path) -> bool:
        """Make `path`, which must not exist, a link to a file with that content; False when there is none."""
        twin = self._paths.get(hashlib.sha256(data).digest())
        try:
            # The file still has this content unless somebody overwrote it; then its length mostly differs.
            if twin is None or twin.stat().st_size != len(data):
                return False
            path.hardlink_to(twin)
        except OSError:
            return False
        return True

    def note(self, data: bytes, path: Path) -> None:
        """Note the content of a file."""
        self._paths[hashlib.sha256(data).digest()] = path


class RecordedStep(msgspec.Struct, frozen=True, kw_only=True):
    """The files of a step in a build directory."""

    folder: Path
    sizes: tuple[int, ...]  # of its files, in bytes


def lock_folder(path: Path, what: str) -> IO[str]:
    """Make a folder and lock it against other writers of the same kind, until the returned lock is closed.

    Raises ConfigError, EnvironmentLacking.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / ".lock").open("w")
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

    def __init__(self, path: Path, twins: HardlinkCache | None = None) -> None:
        """With `twins`, files of steps may be hard links into other build directories."""
        self.path = path
        self._twins = twins
        self._lock: IO[str] | None = None
        self._exported = False
        self._labels: dict[str, set[str]] | None = None  # step name -> its folders

    def open(self) -> None:
        """Make and lock the directory. Raises ConfigError."""
        self._lock = lock_folder(self.path, "build")
        (self.path / _STAMP).unlink(missing_ok=True)
        for name in (RESULT, FAILURE):
            try:
                (self.path / name).rename(self.path / f".{name}.last")
            except FileNotFoundError:
                (self.path / f".{name}.last").unlink(missing_ok=True)

    def restore(self) -> None:
        """Put back the result of the last build here, unless its artifacts have been replaced: this one cannot be."""
        for name in (RESULT, FAILURE) if not self._exported else ():
            with contextlib.suppress(OSError):
                (self.path / f".{name}.last").rename(self.path / name)

    def check_writer(self, config: Path) -> None:
        """Raise ConfigError if the last build here was made from another file beside this one, which still exists."""
        try:
            writer = (self.path / _WRITER).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return
        if writer != config.name and (config.parent / writer).is_file():
            raise ConfigError(
                f"{config}: {self.path} holds the build of {writer}, whose results this build would replace",
                hint="give this build a name of its own with build.name, or another folder with --output",
            )

    def note_writer(self, config: Path) -> None:
        """Note the configuration file that is built here."""
        _replace(self.path / _WRITER, config.name.encode())

    def close(self) -> None:
        """Unlock the directory."""
        if self._lock is not None:
            self._lock.close()

    def step(self, label: str) -> Path:
        """The folder of one step."""
        return self.path / "steps" / label

    def last_actions(self) -> dict[str, Action]:
        """Step name -> its action in the last build here."""
        actions = {}
        for path in sorted((self.path / "steps").glob("*/action.msgpack")):
            try:
                actions[path.parent.name.partition("-")[2]] = _actions.decode(path.read_bytes())
            except (OSError, msgspec.DecodeError):
                continue
        return actions

    def record_step(self, label: str, action: Action, manifest: StepManifest, log: bytes | None) -> RecordedStep:
        """Write a step's action, manifest and log."""
        folder = self._made_for(label)
        files = (canonical_bytes(action), canonical_bytes(manifest), log or b"")
        for name, data in zip(_STEP_FILES, files, strict=True):
            if self._twins is None or not self._twins.link(data, folder / name):
                _replace(folder / name, data)
                if self._twins is not None:
                    self._twins.note(data, folder / name)
        return RecordedStep(folder=folder, sizes=tuple(map(len, files)))

    def record_same_step(self, label: str, twin: RecordedStep) -> bool:
        """Link a step's files from another build directory; False when that is not possible."""
        folder = self._made_for(label)
        try:
            for name, size in zip(_STEP_FILES, twin.sizes, strict=True):
                # Overwriting a file mostly changes its length.
                if os.stat(f"{twin.folder}/{name}").st_size != size:
                    return False
                os.link(f"{twin.folder}/{name}", f"{folder}/{name}")
        except OSError:  # also when another file exists there
            return False
        return True

    def _made_for(self, label: str) -> Path:
        """The step's folder; its folders from other positions in the plan are removed."""
        folder = self.step(label)
        for stale in self._labels_of(label.partition("-")[2]) - {label}:
            import shutil

            shutil.rmtree(self.step(stale))
            self._labels_of(label.partition("-")[2]).discard(stale)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _labels_of(self, name: str) -> set[str]:
        """The folders of a step of that name at the start of this build."""
        if self._labels is None:
            self._labels = {}
            with contextlib.suppress(FileNotFoundError):
                for label in (path.name for path in (self.path / "steps").iterdir()):
                    self._labels.setdefault(label.partition("-")[2], set()).add(label)
        return self._labels.get(name, set())

    def manifest(self, step: str) -> tuple[Path, StepManifest]:
        """Folder and manifest of a step by its name or index. Raises ConfigError with the choices."""
        folders = sorted(path.parent for path in (self.path / "steps").glob("*/manifest.msgpack"))
        for folder in folders:
            index, _, name = folder.name.partition("-")
            if step in {name, folder.name} or (step.isdigit() and int(step) == int(index)):
                return folder, _manifests.decode((folder / "manifest.msgpack").read_bytes())
        names = ", ".join(folder.name.partition("-")[2] for folder in folders)
        raise ConfigError(f"{self.path}: unknown step {step!r}", hint=f"steps: {names or 'none'}")

    def manifests(self) -> list[tuple[Path, StepManifest]]:
        """Folder and manifest of every recorded step, in order; damaged ones are left out."""
        found = []
        for path in sorted((self.path / "steps").glob("*/manifest.msgpack")):
            with contextlib.suppress(OSError, msgspec.DecodeError):
                found.append((path.parent, _manifests.decode(path.read_bytes())))
        return found

    def export(
        self, artifacts: Iterable[Artifact], by_step: Mapping[str, Iterable[Artifact]], store: Store
    ) -> tuple[str, ...]:
        """Export artifacts to artifacts/, and those of single steps to by-step/STEP/, unless they are there already.

        Returns those whose bytes are gone or damaged; when there are any, nothing is changed.
        """
        laid = {_file_name(artifact): artifact for artifact in artifacts}
        laid |= {
            f"{BY_STEP}/{step}/{_file_name(artifact)}": artifact
            for step, made in by_step.items()
            for artifact in made
        }
        wanted = {path: artifact.digest.sha256 for path, artifact in laid.items()}
        listing = self.path / "artifacts" / ".digests.json"
        if listing.exists() and listing.read_bytes() == msgspec.json.encode(wanted, order="sorted"):
            return ()
        import shutil

        fresh = self.path / "artifacts.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        try:
            damaged = tuple(path for path, artifact in laid.items() if not store.materialise(artifact, fresh / path))
            (fresh / ".digests.json").write_bytes(msgspec.json.encode(wanted, order="sorted"))
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)
            raise
        if damaged:
            shutil.rmtree(fresh)
            return damaged
        shutil.rmtree(self.path / "artifacts", ignore_errors=True)
        fresh.rename(self.path / "artifacts")
        self._exported = True
        return ()

    def write_config(self, config: Any) -> None:
        """Write config.json, the resolved configuration."""
        _replace(self.path / CONFIG, pretty_json(config).encode())

    def write_metrics(self, metrics: Any) -> None:
        """Write metrics.json, or remove it when there are no metrics."""
        if metrics is None:
            (self.path / "metrics.json").unlink(missing_ok=True)
        else:
            _replace(self.path / "metrics.json", pretty_json(metrics).encode())

    def write_result(self, result: Any) -> None:
        """Write result.json, last of all: it marks a finished build."""
        _replace(self.path / RESULT, pretty_json(result).encode())
        for name in (RESULT, FAILURE):
            (self.path / f".{name}.last").unlink(missing_ok=True)

    def write_stamp(self, text: str) -> None:
        """Write the stamp of a complete directory; the next build here removes it."""
        (self.path / _STAMP).write_text(text)

    def stamp(self) -> str | None:
        """The stamp, if there is one beside a result."""
        with contextlib.suppress(OSError):
            return (self.path / _STAMP).read_text() if (self.path / RESULT).is_file() else None
        return None

    def write_failure(self, text: str) -> None:
        """Write failure.txt, why the build failed; a successful build leaves none."""
        _replace(self.path / FAILURE, text.encode() + b"\n")


def _file_name(artifact: Artifact) -> str:
    return f"{artifact.name}{_SUFFIXES.get(artifact.media_type, '')}"


def _replace(path: Path, data: bytes) -> None:
    # Builds often change nothing. Reading is quick; replacing a file makes some file systems wait for the disk.
    with contextlib.suppress(OSError):
        if path.read_bytes() == data:
            return
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_bytes(data)
    temporary.replace(path)


BUILD_LOG = "log.jsonl"
