"""What a session with tools gets: variables, a search path, and folders mounted at the host's own paths.

FINN takes the version from the path, and Vivado finds SharedData next to its own folder: a constant path inside a
container would break both. Executors keep these paths out of artifacts, in either runtime.
"""

from __future__ import annotations

from pathlib import Path

from bskernel_protocol.layout import TOOL_FOLDERS

from bskernel.core.tool import ToolInstall
from bskernel.tools.known import known_tools


def tool_variables(tools: tuple[ToolInstall, ...]) -> dict[str, str]:
    """The environment variables of the tools, including their paths; the same in either runtime."""
    variables: dict[str, str] = {}
    for install in tools:
        known = known_tools()[install.tool]
        variables |= known.environment | {known.variable: str(install.root)}
    if tools:
        variables[TOOL_FOLDERS] = ":".join(map(str, mounts(tools)))
    return variables


def search_path(tools: tuple[ToolInstall, ...], path: str) -> str:
    """The search path `path` with the tools' programs first."""
    return ":".join([*(f"{install.root}/bin" for install in tools), path])


def mounts(tools: tuple[ToolInstall, ...]) -> tuple[Path, ...]:
    """The folders to mount into a container, without duplicates."""
    return tuple(dict.fromkeys(folder for install in tools for folder in (install.root, *install.beside)))


def needs_licence(tools: tuple[ToolInstall, ...]) -> bool:
    """True when any of the tools needs a licence."""
    return any(known_tools()[install.tool].licence for install in tools)
