"""Imports FINN's own build configuration as a build.toml."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from bskernel.flow.edits import NamedTable, name_steps
from bskernel.flow.loader import shipped_flow
from bskernel.scaffold.data_files import finn_fields, read_finn_config
from bskernel.scaffold.finn_importer import FinnImport, import_finn_config
from bskernel.scaffold.new_build import Target
from bskernel.workspace.workspace import Workspace


def model_of(path: Path) -> Path | None:
    """The model that a configuration names, if it is there. Raises ConfigError."""
    named = read_finn_config(path).get("model_path")
    return _find(str(named), path.parent) if named else None


def _find(named: str, folder: Path) -> Path | None:
    """A file that a configuration names: beside it, as FINN+ reads it, or from here, as FINN does."""
    if "\0" in named:
        return None
    for path in (folder / named, Path(named)):
        try:
            if path.is_file():
                return path
        except OSError:  # a name that no file can have
            continue
    return None


def import_finn(
    workspace: Workspace, path: Path, folder: Path, given: Target, flow: str | None, stages: Sequence[str]
) -> FinnImport:
    """The values of a build.toml in `folder`, from a configuration, for a model at one of `stages`.

    Raises ConfigError, EnvironmentLacking.
    """
    fields = finn_fields()
    catalogue = workspace.executors.resolve(fields.executor, {}, str(path)).catalogue

    def path_of(named: str) -> str | None:
        found = _find(named, path.parent)
        return None if found is None else Path(os.path.relpath(found.absolute(), folder)).as_posix()

    return import_finn_config(
        read_finn_config(path),
        fields,
        flow_steps=_flow_steps,
        entries={entry.name: entry for entry in catalogue.entries},
        boards=catalogue.boards,
        path_of=path_of,
        given=given,
        flow=flow,
        stages=stages,
    )


def _flow_steps(name: str) -> Sequence[NamedTable]:
    return name_steps(shipped_flow(name).step, name)
