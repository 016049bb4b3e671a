"""Tools of this machine: finds them, identifies them by content, and assigns them to steps."""

from bskernel.tools.assignment import Identify, equip
from bskernel.tools.discovery import FoundInstall, find_installs
from bskernel.tools.environment import mounts, needs_licence, search_path, tool_variables
from bskernel.tools.identity import find_again, identify
from bskernel.tools.known import known_tools
from bskernel.tools.licences import Licences, licences_of

__all__ = [
    "FoundInstall",
    "Identify",
    "Licences",
    "equip",
    "find_again",
    "find_installs",
    "identify",
    "known_tools",
    "licences_of",
    "mounts",
    "needs_licence",
    "search_path",
    "tool_variables",
]
