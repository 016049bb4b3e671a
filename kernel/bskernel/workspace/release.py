"""The release of this bskernel, found without importing what reads metadata: a build with nothing to do asks, too."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from bskernel.lock.build_lock import Release

_COMMIT = 40  # characters
_DISTRIBUTION = "bskernel-"
_ENDING = ".dist-info"


@functools.cache
def find_release() -> Release:
    """The version, and the commit of the checkout, the git source or the wheels, if it is known."""
    metadata = _metadata()
    version = metadata.name.removeprefix(_DISTRIBUTION).removesuffix(_ENDING) if metadata is not None else "unknown"
    root = Path(__file__).resolve().parents[3]
    commit = _commit_of_checkout(root / ".git") or _commit_of_source(metadata) or _commit_of_wheels()
    return Release(version=version, commit=commit)


def _metadata() -> Path | None:
    for folder in dict.fromkeys(sys.path):
        with contextlib.suppress(OSError):
            for name in os.listdir(folder or "."):  # noqa: PTH208 - of a folder that may be an archive
                if name.startswith(_DISTRIBUTION) and name.endswith(_ENDING):
                    return Path(folder, name)
    return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _commit_of_checkout(git: Path) -> str | None:
    """The commit that a checkout is at, from git's own files. A linked work tree has most of them elsewhere."""
    if git.is_file():
        git = git.parent / (_read(git) or "").removeprefix("gitdir: ")
    head = _read(git / "HEAD")
    if head is None or not head.startswith("ref: "):
        return head if head is not None and len(head) == _COMMIT else None
    name = head.removeprefix("ref: ")
    common = git / (_read(git / "commondir") or ".")
    found = _read(git / name) or _read(common / name)
    if found is None:
        lines = (_read(common / "packed-refs") or "").splitlines()
        found = next((line.partition(" ")[0] for line in lines if line.endswith(f" {name}")), None)
    return found if found is not None and len(found) == _COMMIT else None


def _commit_of_source(metadata: Path | None) -> str | None:
    """The commit in direct_url.json, which installers write for a git source (PEP 610)."""
    try:
        text = _read(metadata / "direct_url.json") if metadata is not None else None
        found: dict[str, Any] = msgspec.json.decode(text or "{}", type=dict[str, Any])
    except msgspec.DecodeError:
        return None
    source = found.get("vcs_info")
    return str(source["commit_id"]) if isinstance(source, dict) and "commit_id" in source else None


def _commit_of_wheels() -> str | None:
    """The commit that the wheel of recipes was made from."""
    spec = find_spec("bskernel_recipes")
    places = spec.submodule_search_locations if spec is not None else None
    return _read(Path(places[0], "COMMIT")) if places else None
