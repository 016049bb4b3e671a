"""Lays a build out from its lock: a folder with its configuration and everything that it was given."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from bskernel_protocol import pretty_json

from bskernel.config.reader import INPUTS, place_of_build
from bskernel.core.errors import ConfigError
from bskernel.core.interfaces import OutputViolation, Store
from bskernel.lock.build_lock import BuildLock, GivenFile
from bskernel.lock.given_places import places_for
from bskernel.lock.lock_file import LOCK, lock_text
from bskernel.result.given_files import artifact_of, lay_given

_BYTES = "application/octet-stream"


def lay_out_build(lock: BuildLock, build: Path, folder: Path, store: Store, model: Path | None) -> Path:
    """Lay out a locked build in a new folder; returns its configuration.

    Each given file is looked for by its digest: `model` (of the build's model), the directory's own inputs/, the
    cache, and the place where the build found it. Raises ConfigError that names what is nowhere.
    """
    folder.mkdir(parents=True)

    def fetch(key: str, content: GivenFile, target: Path) -> bool:
        for place in _candidates(build, key, lock, model):
            if _is(place, content, store):
                shutil.copytree(place, target) if content.kind == "tree" else shutil.copyfile(place, target)
                return True
        return store.materialise(artifact_of(key, content), target)

    missing = lay_given(lock, folder / INPUTS, fetch)
    if missing:
        listed = "".join(f"\n         {key} (SHA-256 {lock.files[key].sha256})" for key in missing)
        hint = "give the model by --model FILE" if missing == (lock.model,) else "copy the files to where they were"
        raise ConfigError(
            f"{build}: what it was built from is not here: neither in {build / INPUTS}, nor in the cache, "
            f"nor in {place_of_build(build)}{listed}",
            hint=f"{hint}; a build made by `bskernel run --with-inputs` has them in its directory",
        )
    config = folder / f"{lock.label}.json"  # a build without build.name has that of its file
    config.write_text(pretty_json(lock.config), encoding="utf-8")
    (folder / LOCK).write_text(lock_text(lock), encoding="utf-8")
    return config


def _candidates(build: Path, key: str, lock: BuildLock, model: Path | None) -> Iterable[Path]:
    if model is not None and key == lock.model:
        yield model
    flow = lock.config["build"].get("flow", "") if lock.flow_file is not None else None
    place = places_for([*lock.files, *([flow] if flow is not None else [])]).files[key]
    yield build / INPUTS / place
    yield place_of_build(build) / key


def _is(path: Path, content: GivenFile, store: Store) -> bool:
    """True when a file or folder has that content."""
    if not (path.is_dir() if content.kind == "tree" else path.is_file()):
        return False
    try:
        found = store.observe(path.resolve(), path.name, content.kind, _BYTES)
    except (OSError, OutputViolation):
        return False
    return found.digest.sha256 == content.sha256
