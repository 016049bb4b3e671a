"""What a session with tools gets: variables, a search path, folders to mount. They lie at the host's own paths.

FINN takes the version from the path, and Vivado finds SharedData beside its own folder: a constant path inside a
container would break both. That no path reaches an artifact is the executors' business, in either runtime.
"""

from __future__ import annotations

from pathlib import Path

from bskernel.core.tool import ToolInstall
from bskernel.tools.known import known_tools


def tool_variables(tools: tuple[ToolInstall, ...]) -> dict[str, str]:
    """Where each tool lies, and what it must be told; the same in either runtime."""
    variables: dict[str, str] = {}
    for install in tools:
        known = known_tools()[install.tool]
        variables |= known.environment | {known.variable: str(install.root)}
    return variables


def search_path(tools: tuple[ToolInstall, ...], path: str) -> str:
    """PATH with the tools' programs first."""
    return ":".join([*(f"{install.root}/bin" for install in tools), path])


def mounts(tools: tuple[ToolInstall, ...]) -> tuple[Path, ...]:
    """The folders that a container needs, each once."""
    return tuple(dict.fromkeys(folder for install in tools for folder in (install.root, *install.beside)))


def needs_licence(tools: tuple[ToolInstall, ...]) -> bool:
    """Does any of them ask for a licence?"""
    return any(known_tools()[install.tool].licence for install in tools)
