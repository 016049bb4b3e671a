"""Copies of what a build was given: the model, files and folders of the user's, and a flow of the user's own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from bskernel_protocol import Artifact, Digest, TreeListing, decode_document

from bskernel.config.toml_text import to_toml
from bskernel.core.interfaces import Store
from bskernel.lock.build_lock import BuildLock, GivenFile
from bskernel.lock.given_places import GivenPlaces, places_for

Fetch = Callable[[str, GivenFile, Path], bool]  # key, content, target -> whether it is there now


def lay_given(lock: BuildLock, folder: Path, fetch: Fetch) -> tuple[str, ...]:
    """Lay out everything that a lock names in a new folder; returns the keys of what `fetch` does not have."""
    flow, places = _flow_and_places(lock)
    (folder / places.config).mkdir(parents=True)
    missing = []
    for key, content in lock.files.items():
        target = folder / places.files[key]
        target.parent.mkdir(parents=True, exist_ok=True)
        if not fetch(key, content, target):
            missing.append(key)
    if flow is not None:
        target = folder / places.files[flow]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(flow_text(lock), encoding="utf-8")
    return tuple(missing)


def flow_text(lock: BuildLock) -> str:
    """The flow of a lock as a flow file, which extends none."""
    return "".join(f"{key} = {to_toml(value)}\n" for key, value in (lock.flow_file or {}).items() if value)


def artifact_of(key: str, content: GivenFile) -> Artifact:
    """A given file as the store knows it."""
    return Artifact(name=key, kind=content.kind, digest=Digest(sha256=content.sha256, size=content.size))


def digests_of_given(lock: BuildLock, store: Store) -> dict[str, str]:
    """Path below the folder of every file that `lay_given` lays out -> its SHA-256."""
    flow, places = _flow_and_places(lock)
    found: dict[str, str] = {}
    for key, content in lock.files.items():
        place = places.files[key]
        if content.kind == "file":
            found[place] = content.sha256
            continue
        data = store.get(artifact_of(key, content).digest)
        listing = decode_document(data) if data is not None else None
        if isinstance(listing, TreeListing):
            found |= {f"{place}/{file.path}": file.digest.sha256 for file in listing.files}
    if flow is not None:
        found[places.files[flow]] = hashlib.sha256(flow_text(lock).encode()).hexdigest()
    return found


def places_of_given(lock: BuildLock) -> dict[str, str]:
    """Path of each given file in a lock -> the path below the folder where `lay_given` lays it."""
    return _flow_and_places(lock)[1].files


def _flow_and_places(lock: BuildLock) -> tuple[str | None, GivenPlaces]:
    flow = lock.config["build"].get("flow", "") if lock.flow_file is not None else None
    return flow, places_for([*lock.files, *([flow] if flow is not None else [])])
