"""Whether a build directory still is what its result says."""

from __future__ import annotations

from pathlib import Path

import msgspec
from bskernel_protocol import Artifact

from bskernel.core.errors import ConfigError
from bskernel.result.build_directory import RESULT, BuildDirectory
from bskernel.result.exported_artifacts import ARTIFACTS
from bskernel.result.result_file import read_result, result_path

_MOST = 20  # lines; more are counted


class _NamedArtifacts(msgspec.Struct, frozen=True, kw_only=True):
    artifacts: dict[str, Artifact] = {}
    by_step: dict[str, dict[str, Artifact]] = {}


def find_altered(build: Path) -> tuple[str, ...]:
    """What in a build directory changed since its build: "artifacts/model: missing", "metrics.json: altered", ...

    Reads only what may have been written to. Says nothing of a result.json that was copied without its directory.
    Raises ConfigError if the result cannot be read.
    """
    file = result_path(build)
    directory = BuildDirectory(file.parent)
    if file.name != RESULT or not (directory.has_notes or (file.parent / ARTIFACTS).is_dir()):
        return ()
    result = read_result(build, _NamedArtifacts)
    found = directory.altered(
        result.artifacts.values(), {step: made.values() for step, made in result.by_step.items()}
    )
    return found if len(found) <= _MOST else (*found[:_MOST], f"and {len(found) - _MOST} more")


def find_altered_points(points: Path) -> tuple[str, ...]:
    """The same for each build directory in a folder, every line with the directory's name."""
    found: list[str] = []
    for build in sorted(points.iterdir()) if points.is_dir() else ():
        try:
            found += [f"{build.name}/{line}" for line in find_altered(build)] if (build / RESULT).exists() else []
        except ConfigError as error:
            found.append(f"{build.name}/{RESULT}: {error.message}")
    return tuple(found) if len(found) <= _MOST else (*found[:_MOST], f"and {len(found) - _MOST} more")
