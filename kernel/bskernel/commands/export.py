"""Exports where a build comes from, in forms that other tools read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bskernel_protocol import pretty_json

from bskernel.commands.sigstore_bundle import sign_bundle
from bskernel.core.errors import EXIT_DAMAGED, BskernelError
from bskernel.core.signature import SigningKey
from bskernel.core.step import ExecutorRef
from bskernel.images import Recipe, require_recipe
from bskernel.lock.lock_file import LOCK, read_lock
from bskernel.result.build_directory import RESULT
from bskernel.result.damage import check_contents, split_artifacts
from bskernel.result.provenance.bill import ExecutorPackages, make_bill
from bskernel.result.provenance.signed_statement import SUFFIX, sign_statement
from bskernel.result.provenance.statement import Statement, make_statement
from bskernel.workspace.workspace import Workspace


class BuildDamaged(BskernelError):  # noqa: N818 - says what is wrong better than a suffix
    """A build directory is not as its build wrote it, so that nothing is said of it."""

    exit_code = EXIT_DAMAGED


def export_provenance(build: Path) -> Statement:
    """The provenance of a build's artifacts. Raises BuildDamaged, ConfigError."""
    lock = read_lock(build / LOCK)
    artifacts, others = split_artifacts(read_intact(build))
    named = {name: sha256 for name, sha256 in others.items() if name == RESULT or name.startswith("steps/")}
    return make_statement(lock, artifacts, named)


def place_of_signature(build: Path, suffix: str = SUFFIX) -> Path:
    """Where the signed provenance of a build is, unless its user says otherwise: beside its directory."""
    folder = build if build.name not in {"", ".."} else build.resolve()
    return folder.with_name(folder.name + suffix)


def export_by_identity(build: Path) -> str:
    """The provenance of a build's artifacts, signed by the user's identity: a bundle of Sigstore's.

    Raises BuildDamaged, ConfigError, EnvironmentLacking.
    """
    return sign_bundle(pretty_json(export_provenance(build)).encode())


def export_signed(build: Path, key: SigningKey) -> str:
    """The provenance of a build's artifacts in a signed envelope: one line. Raises BuildDamaged, ConfigError."""
    return sign_statement(export_provenance(build), key)


def export_bill(workspace: Workspace, build: Path) -> dict[str, Any]:
    """The bill of what a build's executors are made of. Raises BuildDamaged, ConfigError.

    Raises EnvironmentLacking if the recipe of one is not here, or is another one: its locks list the packages.
    """
    lock = read_lock(build / LOCK)
    read_intact(build)
    packages = {}
    for key, parts in lock.executors.items():
        name, _, version = key.partition("@")
        recipe = require_recipe(
            workspace.recipes,
            ExecutorRef(name=name, version=version, digest=parts.digest),
            where=str(build / LOCK),
            hint="use the release of bskernel that the lock names; others' recipes are found in BSKERNEL_RECIPES",
        )
        packages[key] = _packages(recipe)
    return make_bill(lock, packages)


def _packages(recipe: Recipe) -> ExecutorPackages:
    return ExecutorPackages(
        requirements=recipe.lock.read_text(encoding="utf-8"),
        debian={package.path: package.sha256 for package in recipe.base.packages},
    )


def read_intact(build: Path) -> dict[str, str]:
    """Path -> SHA-256 of every file of a build directory. Raises BuildDamaged, ConfigError."""
    contents = check_contents(build)
    if contents.damage:
        raise BuildDamaged(
            f"{build}: {contents.damage[0]}", hint="bskernel verify --runs 0 lists what is not as the build wrote it"
        )
    return contents.digests
