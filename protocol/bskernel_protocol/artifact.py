"""Artifacts: the files and trees that steps read and write."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from bskernel_protocol.digest import Digest

ArtifactKind: TypeAlias = Literal["file", "tree"]


def check_relative_path(path: str) -> str:
    """Return `path` if it is a relative POSIX path that stays inside its tree. Raises ValueError for any other."""
    parts = path.split("/")
    if not path or "\\" in path or "\0" in path or any(part in {"", ".", ".."} for part in parts):
        raise ValueError(f"not a relative path inside its tree: {path!r}")
    return path


class TreeFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One file of a tree: where it lies, whether it may be executed, its bytes."""

    path: str
    digest: Digest
    executable: bool = False

    def __post_init__(self) -> None:
        check_relative_path(self.path)


class TreeListing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="tree"):
    """All files of a tree in order of path; empty folders, times and owners are no part of it."""

    files: tuple[TreeFile, ...]

    def __post_init__(self) -> None:
        paths = [file.path for file in self.files]
        if paths != sorted(set(paths)):
            raise ValueError("a tree must list each path once, in sorted order")


class Artifact(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A named file, or a tree named by the digest of its listing's canonical bytes."""

    name: str
    kind: ArtifactKind
    digest: Digest
    media_type: str = "application/octet-stream"
