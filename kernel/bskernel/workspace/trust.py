"""Decides whether a project may have what it asks for, as the user said in the environment or in a file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path

import msgspec

from bskernel.core.errors import ConfigError, NotTrusted
from bskernel.flow.loaded_config import LoadedConfig
from bskernel.store import SharedSettings, shared_settings
from bskernel.workspace.trust_file import Grants, TrustSection, config_folder, read_grants, read_user_config
from bskernel.workspace.trust_request import TrustRequest, store_requests

VARIABLE = "BSKERNEL_TRUST"  # 1: all projects; or a list of folders as in PATH


class Trust:
    """What this user allows projects. Reads the user's files only when a project asks for something."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._folder = config_folder(environment)

    def require(self, file: Path, requests: Iterable[TrustRequest]) -> None:
        """Return if the project of that build.toml may have all of these. Raises NotTrusted, ConfigError."""
        missing = [request for request in requests if not self.allows(file.parent, request)]
        if not missing:
            return
        first = missing[0]
        why = f"{first.why}, which a project may do only once you trust it"
        others = "".join(f"\n       and {one.key} = {one.value}: {one.why}" for one in missing[1:])
        raise NotTrusted(
            f"{file}: {first.key} = {first.value}: {why}{others}",
            hint=f"if you do: bskernel trust {file}, or in CI {VARIABLE}={file.parent};"
            " or give the value yourself with --set. See docs/security.md",
        )

    def allows(self, project: Path, request: TrustRequest) -> bool:
        """True when the project in that folder may have it. Raises ConfigError for a wrong file of the user's."""
        project = project.resolve()
        if self._trusts_everything_in(project):
            return True
        if request.kind == "tool" and _is_below_any(Path(request.target), self._section.tools):
            return True
        if request.kind in {"store", "store-write"} and self._lists(request.target):
            return True
        return request in self._grants.projects.get(str(project), ())

    def _trusts_everything_in(self, project: Path) -> bool:
        said = self._environment.get(VARIABLE, "")
        if said == "1":
            return True
        folders = [folder for folder in said.split(os.pathsep) if folder not in {"", "0"}]
        for folder in folders:
            if not Path(folder).is_absolute():
                raise ConfigError(
                    f"{VARIABLE}: {folder!r} is not an absolute path", hint="1, or folders of projects as in PATH"
                )
        return _is_below_any(project, folders) or _is_below_any(project, self._section.projects)

    def lists_store(self, shared: SharedSettings) -> bool:
        """True for a store, without options of a project's, that the user's configuration file lists."""
        return not shared.options and self._lists(shared.url)

    def _lists(self, url: str) -> bool:
        listed = {text if "://" in text else str(Path(text).expanduser()) for text in self._section.stores}
        return url.rstrip("/") in {text.rstrip("/") for text in listed}

    @cached_property
    def _section(self) -> TrustSection:
        return read_user_config(self._folder).trust

    @cached_property
    def _grants(self) -> Grants:
        return read_grants(self._folder)


class CollectingTrust(Trust):
    """Allows everything and notes what was asked for: `bskernel trust` shows and remembers it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        super().__init__(environment)
        self.asked: dict[TrustRequest, None] = {}

    def require(self, file: Path, requests: Iterable[TrustRequest]) -> None:  # noqa: ARG002 - the base's
        """Note the requests, in order."""
        self.asked |= dict.fromkeys(requests)


def trusted_store(loaded: LoadedConfig, trust: Trust) -> SharedSettings | None:
    """The shared store of a configuration; None without one. Raises NotTrusted, EnvironmentLacking, ConfigError."""
    shared = shared_settings(loaded.config.store, loaded.folder)
    if shared is None:
        return None
    trust.require(loaded.path, store_requests(loaded, shared))
    given = loaded.is_given("store", "shared") and (not shared.options or loaded.is_given("store", "options"))
    return msgspec.structs.replace(shared, users=given or trust.lists_store(shared))


def _is_below_any(path: Path, folders: Iterable[str]) -> bool:
    return any(path.is_relative_to(Path(folder).expanduser().resolve()) for folder in folders)
