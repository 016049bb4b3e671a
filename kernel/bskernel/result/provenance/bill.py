"""A bill of what a build's executors are made of: CycloneDX 1.6. Pure.

Source: https://cyclonedx.org/docs/1.6/json. Packages that executors share are listed once; `dependencies` says which
executor has which.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

import msgspec

from bskernel.lock.build_lock import BuildLock, ExecutorParts

_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)
_NAMESPACE = uuid.UUID("5d0c5f3c-6a53-5a0c-9c0a-0f6d2a6f8b11")  # of the bills that this module makes


class ExecutorPackages(msgspec.Struct, frozen=True, kw_only=True):
    """What an executor's locks list: the text of requirements.lock, and the base's packages, path -> SHA-256."""

    requirements: str
    debian: dict[str, str]


def make_bill(lock: BuildLock, packages: Mapping[str, ExecutorPackages]) -> dict[str, Any]:
    """The bill of a build; `packages` has those of each of its executors, by NAME@VERSION."""
    components: dict[str, dict[str, Any]] = {}
    dependencies = []
    for name, parts in lock.executors.items():
        inner = [
            *(_python(*found) for found in _REQUIREMENT.findall(packages[name].requirements)),
            *(_debian(path, sha256) for path, sha256 in packages[name].debian.items()),
            *(_git(source, commit) for source, commit in parts.git.items()),
            *([] if packages[name].debian else [_image(parts)]),
        ]
        executor = _executor(name, parts)
        for component in (executor, *inner):
            components.setdefault(component["bom-ref"], component)
        dependencies.append({"ref": name, "dependsOn": sorted({component["bom-ref"] for component in inner})})
    root = f"build:{lock.name}"
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, _identity(lock))}",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "bom-ref": root, "name": lock.name},
            "tools": {"components": [{"type": "application", "name": "bskernel", "version": lock.bskernel.version}]},
        },
        "components": [components[ref] for ref in sorted(components)],
        "dependencies": [{"ref": root, "dependsOn": sorted(lock.executors)}, *dependencies],
    }


def _identity(lock: BuildLock) -> str:
    return "\n".join([lock.name, *(f"{name} {parts.digest}" for name, parts in sorted(lock.executors.items()))])


def _executor(name: str, parts: ExecutorParts) -> dict[str, Any]:
    kept = msgspec.to_builtins(parts)
    named: Sequence[tuple[str, str]] = [(key, value) for key, value in kept.items() if isinstance(value, str)]
    executor, _, version = name.partition("@")
    return {
        "type": "application",
        "bom-ref": name,
        "name": executor,
        "version": version,
        "properties": [{"name": f"bskernel:{key}", "value": value} for key, value in named],
    }


def _python(name: str, version: str) -> dict[str, Any]:
    normal = re.sub(r"[-_.]+", "-", name).lower()
    return _library(name, version, f"pkg:pypi/{normal}@{quote(version, safe='')}")


def _debian(path: str, sha256: str) -> dict[str, Any]:
    """A package of Debian's by its path in the archive: pool/.../NAME_VERSION_ARCHITECTURE.deb."""
    name, version, architecture = unquote(path).rpartition("/")[2].removesuffix(".deb").split("_")
    purl = f"pkg:deb/debian/{quote(name, safe='')}@{quote(version, safe='')}?arch={architecture}"
    return {**_library(name, version, purl), "hashes": [{"alg": "SHA-256", "content": sha256}]}


def _git(name: str, commit: str) -> dict[str, Any]:
    return _library(name, commit, f"pkg:generic/{name}@{commit}")


def _image(parts: ExecutorParts) -> dict[str, Any]:
    return {
        "type": "container",
        "bom-ref": parts.base,
        "name": parts.base,
        "hashes": [{"alg": "SHA-256", "content": parts.base_digest}],
    }


def _library(name: str, version: str, purl: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
