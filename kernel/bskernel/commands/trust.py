"""Trusts a project: finds what its files ask for, without running any of it, and remembers that the user agreed."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from bskernel.config.assignments import ConfigText
from bskernel.config.reader import read_config
from bskernel.core.errors import ConfigError
from bskernel.core.tool import ToolInstall
from bskernel.flow.loader import check_config
from bskernel.flow.selection import RangeRequest
from bskernel.images import locate_root, named_folders
from bskernel.images.environment import cache_folder
from bskernel.sweeps.execution.preparation import PreparedSweep
from bskernel.workspace.tool_trust import tool_key
from bskernel.workspace.trust import CollectingTrust
from bskernel.workspace.trust_file import Grants, config_folder, read_grants, write_grants
from bskernel.workspace.trust_request import TrustRequest, cluster_requests
from bskernel.workspace.workspace import Workspace


class TrustedProject(msgspec.Struct, frozen=True, kw_only=True):
    """A project's folder, with what it is allowed."""

    folder: Path
    requests: tuple[TrustRequest, ...]


class _LookingWorkspace(Workspace):
    """A workspace that runs no tool."""

    def identify(self, tool: str, path: Path, where: str) -> ToolInstall:
        """A tool of the version that its key asks for."""
        _, _, key = where.rpartition(": ")
        version = tool_key(key)[-1]
        return ToolInstall(tool=tool, product=tool, version=version, build="", fingerprint="", root=path)


def find_requests(path: Path) -> tuple[TrustRequest, ...]:
    """What a build.toml, or all of those in a folder, ask for. Raises ConfigError, EnvironmentLacking."""
    files = [path]
    if path.is_dir():
        files = [file for file in sorted(path.glob("*.toml")) if _is_build(file)]
        if not files:
            raise ConfigError(f"{path}: no build.toml in it", hint="give a project's folder or its build.toml")
    trust = CollectingTrust(os.environ)
    workspace = _LookingWorkspace(locate_root(), cache_folder(), trust, named_folders())
    for file in files:
        _ask(workspace, read_config(file))
    return tuple(trust.asked)


def _is_build(file: Path) -> bool:
    return file.is_file() and "build" in read_config(file).data


def _ask(workspace: Workspace, text: ConfigText) -> None:
    if "sweep" in text.data:
        loaded = PreparedSweep(workspace, text, RangeRequest()).loaded
        workspace.place_output(loaded, None, suffix="-sweep")
    else:
        loaded = workspace.prepare_loaded(check_config(text)).loaded
    workspace.shared_store(loaded)
    workspace.trust.require(loaded.path, cluster_requests(loaded))


def grant(path: Path, requests: tuple[TrustRequest, ...]) -> Path:
    """Remember that the project of that build.toml or folder may have these. Returns the file. Raises ConfigError."""
    folder = _project(path)
    where = config_folder(os.environ)
    projects = dict(read_grants(where).projects)
    projects[folder] = tuple(dict.fromkeys((*projects.get(folder, ()), *requests)))
    return write_grants(where, Grants(projects=projects))


def revoke(path: Path) -> bool:
    """Forget what the project of that build.toml or folder may have; False if nothing was remembered."""
    where = config_folder(os.environ)
    projects = dict(read_grants(where).projects)
    if projects.pop(_project(path), None) is None:
        return False
    write_grants(where, Grants(projects=projects))
    return True


def list_trusted() -> tuple[TrustedProject, ...]:
    """All projects that `bskernel trust` remembers. Raises ConfigError."""
    found = read_grants(config_folder(os.environ)).projects
    return tuple(TrustedProject(folder=Path(folder), requests=asked) for folder, asked in sorted(found.items()))


def _project(path: Path) -> str:
    path = path.resolve()
    return str(path.parent if path.is_file() else path)
