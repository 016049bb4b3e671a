"""What a container needs in addition if its executor uses tools: mounts, variables and a network. A value."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
from bskernel_protocol.licences import LICENCE_VARIABLES

from bskernel.core.errors import ConfigError
from bskernel.core.tool import ToolInstall
from bskernel.images.recipe_image import PATH
from bskernel.tools import licences_of, mounts, needs_licence, search_path, tool_variables

# The container's own folders. A tool mounted in one of these would hide parts of it, or be hidden.
_RESERVED = tuple(
    map(
        Path,
        ("/bin", "/bskernel", "/dev", "/etc", "/lib", "/lib64", "/opt/bskernel", "/proc", "/sbin", "/sys", "/usr"),
    )
)


class ToolMounts(msgspec.Struct, frozen=True, kw_only=True):
    """Folders and files to mount read-only at the host's own paths, variables, and the engine's network."""

    folders: tuple[Path, ...] = ()
    variables: dict[str, str] = {}
    network: str = "none"

    def options(self) -> list[str]:
        """The options for `docker run`. Licence variables are passed by name, so that their values are not shown."""
        named = [
            name if name in LICENCE_VARIABLES else f"{name}={value}" for name, value in sorted(self.variables.items())
        ]
        return [*(f"--volume={path}:{path}:ro" for path in self.folders), *(f"--env={item}" for item in named)]


NOTHING = ToolMounts()


def tool_mounts_for(tools: tuple[ToolInstall, ...], environment: Mapping[str, str]) -> ToolMounts:
    """The mounts for these tools; `environment` is the kernel's. Raises ConfigError for a reserved path."""
    if not tools:
        return NOTHING
    folders = mounts(tools)
    for folder in folders:
        if folder == Path("/") or any(folder.is_relative_to(own) or own.is_relative_to(folder) for own in _RESERVED):
            raise ConfigError(
                f"{folder} cannot be mounted at its own path in a container",
                hint="install the tool elsewhere, e.g. under /opt/Xilinx or /tools/Xilinx, or use --runtime process",
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
