"""A build's provenance: an in-toto Statement v1 with a predicate of SLSA v1. Pure.

Sources: https://github.com/in-toto/attestation/tree/main/spec/v1 and https://slsa.dev/spec/v1.0/provenance. The names
of fields are those of the specifications. When a build began and ended is left out: the log of the build says it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bskernel.lock.build_lock import BuildLock, GivenFile

BUILD_TYPE = "urn:bskernel:build:1"
BUILDER = "urn:bskernel:builder:1"
_TREE = "bskernelTree"  # SHA-256 of a folder's listing, which no algorithm of the specification names


class ResourceDescriptor(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A file, package or tool by digest."""

    name: str
    digest: dict[str, str] = {}
    annotations: dict[str, Any] = {}


class BuildDefinition(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was built: what the user gave, what the plan made of it, and everything that went in."""

    build_type: str = BUILD_TYPE
    external_parameters: dict[str, Any]
    internal_parameters: dict[str, Any]
    resolved_dependencies: tuple[ResourceDescriptor, ...]


class Builder(msgspec.Struct, frozen=True, kw_only=True):
    """Who built."""

    id: str = BUILDER
    version: dict[str, str]


class RunDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Who built, and what else came out."""

    builder: Builder
    byproducts: tuple[ResourceDescriptor, ...]


class Provenance(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The predicate of SLSA v1."""

    build_definition: BuildDefinition
    run_details: RunDetails


class Statement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An in-toto Statement v1 about a build's artifacts."""

    type_: str = msgspec.field(name="_type", default="https://in-toto.io/Statement/v1")
    subject: tuple[ResourceDescriptor, ...]
    predicate_type: str = "https://slsa.dev/provenance/v1"
    predicate: Provenance


def make_statement(lock: BuildLock, artifacts: Mapping[str, str], others: Mapping[str, str]) -> Statement:
    """The provenance of a build with that lock.

    `artifacts` are its files, `others` the remaining ones of its directory: path -> SHA-256.
    """
    executors = tuple(
        ResourceDescriptor(name=name, digest={"sha256": parts.digest}, annotations=_without_none(parts))
        for name, parts in lock.executors.items()
    )
    tools = {f"{tool}: {identity}" for step in lock.flow for tool, identity in step.tools.items()}
    commit = {"commit": lock.bskernel.commit} if lock.bskernel.commit is not None else {}
    return Statement(
        subject=_files(artifacts),
        predicate=Provenance(
            build_definition=BuildDefinition(
                external_parameters={"configuration": lock.config, "model": lock.model},
                internal_parameters={
                    "platform": lock.platform,
                    "protocol": str(lock.protocol),
                    "flow": [_without_none(step) for step in lock.flow],
                },
                resolved_dependencies=(
                    *(ResourceDescriptor(name=name, digest=_digest(file)) for name, file in lock.files.items()),
                    *executors,
                    *(
                        ResourceDescriptor(name=tool, digest={"sha256": tool.rpartition(" ")[2]})
                        for tool in sorted(tools)
                    ),
                ),
            ),
            run_details=RunDetails(
                builder=Builder(version={"bskernel": lock.bskernel.version, **commit}), byproducts=_files(others)
            ),
        ),
    )


def _files(digests: Mapping[str, str]) -> tuple[ResourceDescriptor, ...]:
    return tuple(ResourceDescriptor(name=name, digest={"sha256": sha256}) for name, sha256 in sorted(digests.items()))


def _digest(file: GivenFile) -> dict[str, str]:
    return {"sha256" if file.kind == "file" else _TREE: file.sha256}


def _without_none(value: msgspec.Struct) -> dict[str, Any]:
    return {key: item for key, item in msgspec.to_builtins(value).items() if item is not None}
