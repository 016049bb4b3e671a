"""The types of build.lock. Pure.

JSON, because a parameter may be null or nest to any depth, which TOML cannot say; and because the same struct gives
the file, its strict reader and its schema. Keys are sorted, and there are no times and no paths of a machine in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from bskernel_protocol import ArtifactKind

_LONGEST_LABEL = 200  # characters, as for names in a build.toml
LOCK_FORMAT = 1  # changes when a reader of the file before could misread it


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The release of bskernel, and the commit that it was made from, if that is known."""

    version: str
    commit: str | None = None


class ExecutorParts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The digest of an executor, and the parts that it is the digest of."""

    digest: str
    base: str  # the name of the base image, and
    base_digest: str  # the digest of its packages, or of the registry's image
    python: str
    packages: str  # SHA-256 of requirements.lock
    edits: str | None = None  # the digest of the edits of its libraries; None without any
    git: dict[str, str] = {}  # git sources: name -> commit
    environment: str  # the digest of Python, platform, packages, edits and git sources
    sources: str  # the digest of its own code: paths and bytes
    module: str
    image: str | None = None  # the identifier of its image, in a lock that was asked to pin images


class GivenFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file or folder that the user gives a build. A folder's digest is that of its listing."""

    kind: ArtifactKind
    sha256: str
    size: int  # of the file, or of the listing, in bytes


class LockedStep(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step as it is planned: `parameters` are those that differ from the entry's defaults."""

    name: str
    executor: str  # NAME@VERSION
    entry: str
    parameters: dict[str, Any] = {}
    inputs: dict[str, tuple[str, ...]] = {}  # "STEP.OUTPUT", or the paths of given files
    tools: dict[str, str] = {}  # tool -> its identity: product, version, build, fingerprint
    each: str | None = None


class BuildLock(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that decides the bytes of a build, and who made it."""

    format: int = LOCK_FORMAT
    name: str
    bskernel: Release  # for people: what it decides is in `flow` and `executors`
    protocol: int
    platform: str  # the tag of the wheels that executors are made of
    model: str  # its path in `files`
    files: dict[str, GivenFile]  # path, relative to the configuration's folder -> content
    config: dict[str, Any]  # as in config.json, but for where tools and recipes are
    flow_file: dict[str, Any] | None = None  # the steps of a flow of the user's own
    flow: tuple[LockedStep, ...]
    executors: dict[str, ExecutorParts]  # NAME@VERSION -> what it is made of

    @property
    def images(self) -> dict[str, str]:
        """The images that it pins: NAME@VERSION -> identifier."""
        return {name: parts.image for name, parts in self.executors.items() if parts.image is not None}

    def with_images(self, images: Mapping[str, str]) -> BuildLock:
        """The lock that pins these images of its executors, and no other: NAME@VERSION -> identifier."""
        executors = {
            name: msgspec.structs.replace(parts, image=images.get(name)) for name, parts in self.executors.items()
        }
        return msgspec.structs.replace(self, executors=executors)

    @property
    def label(self) -> str:
        """The build's name as that of a file or folder; "build" where it could be none: a lock can say anything."""
        is_plain = self.name.isprintable() and "/" not in self.name and not self.name.startswith(".")
        return self.name if self.name and is_plain and len(self.name) <= _LONGEST_LABEL else "build"
