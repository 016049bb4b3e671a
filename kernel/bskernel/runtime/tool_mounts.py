"""What a container of an executor with tools gets beyond any other: mounts, variables, a network. A value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
from bskernel_protocol.licences import LICENCE_VARIABLES

from bskernel.core.errors import ConfigError
from bskernel.core.tool import ToolInstall
from bskernel.images.container_image import PATH
from bskernel.tools import licences_of, mounts, needs_licence, search_path, tool_variables

# A container's own folders: a tool that lies on the host in one of these would hide them, or be hidden.
_TAKEN = tuple(
    map(
        Path,
        ("/bin", "/bskernel", "/dev", "/etc", "/lib", "/lib64", "/opt/bskernel", "/proc", "/sbin", "/sys", "/usr"),
    )
)


class ToolMounts(msgspec.Struct, frozen=True, kw_only=True):
    """Folders and files, read-only at the host's own paths; variables; and the engine's network."""

    folders: tuple[Path, ...] = ()
    variables: dict[str, str] = {}
    network: str = "none"

    def options(self) -> list[str]:
        """As `docker run` takes them; a licence's value is left to the shell that the command is given to."""
        named = [
            name if name in LICENCE_VARIABLES else f"{name}={value}" for name, value in sorted(self.variables.items())
        ]
        return [*(f"--volume={path}:{path}:ro" for path in self.folders), *(f"--env={item}" for item in named)]


NOTHING = ToolMounts()


def tool_mounts_for(tools: tuple[ToolInstall, ...], environment: Mapping[str, str]) -> ToolMounts:
    """For a session with these tools; `environment` is the kernel's own. Raises ConfigError for a path in its way."""
    if not tools:
        return NOTHING
    folders = mounts(tools)
    for folder in folders:
        if folder == Path("/") or any(folder.is_relative_to(own) or own.is_relative_to(folder) for own in _TAKEN):
            raise ConfigError(
                f"{folder} cannot be mounted at its own path in a container",
                hint="have the tool elsewhere, such as under /opt/Xilinx or /tools/Xilinx; or use --runtime process",
            )
    variables = tool_variables(tools) | {"PATH": search_path(tools, PATH)}
    if not needs_licence(tools):
        return ToolMounts(folders=folders, variables=variables)
    licences = licences_of(environment)
    return ToolMounts(
        folders=folders + licences.files,
        variables=variables | licences.variables,
        network="bridge" if licences.floating else "none",
    )
