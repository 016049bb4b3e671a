"""Tools installed on this machine that steps are given: found, identified by what they are, mounted."""

from bskernel.installs.equipping import Identify, equip
from bskernel.installs.finding import FoundInstall, find_installs
from bskernel.installs.identifying import find_again, identify
from bskernel.installs.known import known_tools
from bskernel.installs.licences import Licences, licences_of
from bskernel.installs.surroundings import mounts, needs_licence, search_path, tool_variables

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
