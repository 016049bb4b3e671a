"""Looks for installs in the usual places: /opt/Xilinx, /tools/Xilinx, PATH, and the tools' own variables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from bskernel.core.errors import BskernelError
from bskernel.core.tool import ToolInstall
from bskernel.tools.identity import identify, locate
from bskernel.tools.known import KnownTool, known_tools

ROOTS = (Path("/opt/Xilinx"), Path("/tools/Xilinx"), Path("/opt/AMD"), Path("/tools/AMD"))


class FoundInstall(msgspec.Struct, frozen=True, kw_only=True):
    """An install, or the problem with a folder that looks like one."""

    tool: str
    root: Path
    install: ToolInstall | None = None
    problem: str | None = None


def _candidates(known: KnownTool, roots: tuple[Path, ...], environment: Mapping[str, str]) -> Iterator[Path]:
    for root in roots:
        for folder in known.folders:
            yield from sorted((root / folder).glob("*"))
            yield from sorted(root.glob(f"*/{folder}"))
    yield from _named(known, environment)


def _named(known: KnownTool, environment: Mapping[str, str]) -> Iterator[Path]:
    """The installs that the environment names. Relative paths are left out: a project decides what is there."""
    import shutil

    named = Path(environment.get(known.variable, ""))
    if named.is_absolute():
        yield named
    search = environment.get("PATH", os.defpath).split(os.pathsep)
    folders = [folder for folder in search if Path(folder).is_absolute()]
    for program in known.programs:
        program_path = shutil.which(Path(program).name, path=os.pathsep.join(folders)) if folders else None
        if program_path:
            yield Path(program_path).resolve().parent.parent


def named_installs(tool: str, environment: Mapping[str, str]) -> set[Path]:
    """The roots of a tool's installs that the environment names: its own variable, and PATH."""
    roots = (locate(tool, path) for path in _named(known_tools()[tool], environment))
    return {root for root in roots if root is not None}


def find_installs(
    cache: Path, environment: Mapping[str, str], roots: tuple[Path, ...] = ROOTS
) -> tuple[FoundInstall, ...]:
    """All installs on this machine, sorted by tool and version, without duplicates."""
    installs: dict[tuple[str, Path], FoundInstall] = {}
    for tool, known in known_tools().items():
        for path in _candidates(known, roots, environment):
            root = locate(tool, path)
            if root is None or (tool, root) in installs:
                continue
            try:
                install = identify(tool, root, cache, str(root))
            except BskernelError as error:
                installs[tool, root] = FoundInstall(tool=tool, root=root, problem=error.message)
            else:
                installs[tool, root] = FoundInstall(tool=tool, root=root, install=install)
    return tuple(
        sorted(
            installs.values(), key=lambda item: (item.tool, item.install.version if item.install else "", item.root)
        )
    )
