"""The licence variables of AMD's tools. Steps whose tools need them get them; their values are never shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
from bskernel_protocol.licences import LICENCE_VARIABLES


class Licences(msgspec.Struct, frozen=True, kw_only=True):
    """The licence variables and what they name: files, folders, and servers as port@host."""

    variables: dict[str, str] = {}
    files: tuple[Path, ...] = ()
    missing: tuple[str, ...] = ()  # variables that name a missing file
    floating: bool = False

    def shown(self) -> dict[str, str]:
        """For each variable the kind of what it names, never the value."""
        return {
            name: self._kind(self.variables[name]) if name in self.variables else "not set"
            for name in LICENCE_VARIABLES
        }

    def _kind(self, value: str) -> str:
        parts = [part for part in value.split(":") if part]
        servers = sum("@" in part for part in parts)
        kinds = [
            f"{count} {what}{'s' if count > 1 else ''}"
            for count, what in ((servers, "server"), (len(parts) - servers, "file"))
            if count
        ]
        return f"set ({' and '.join(kinds) or 'empty'})"


def licences_of(environment: Mapping[str, str]) -> Licences:
    """The licences of a process's environment."""
    variables = {name: environment[name] for name in LICENCE_VARIABLES if environment.get(name)}
    files: dict[Path, None] = {}
    missing: dict[str, None] = {}
    floating = False
    for name, value in variables.items():
        for part in filter(None, value.split(":")):
            if "@" in part:
                floating = True
            elif Path(part).exists():
                files[Path(part).resolve()] = None
            else:
                missing[name] = None
    return Licences(variables=variables, files=tuple(files), missing=tuple(missing), floating=floating)
