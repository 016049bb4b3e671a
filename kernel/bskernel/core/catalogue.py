"""The catalogues of executors: which there are, in which versions, and what each can do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import msgspec
from bskernel_protocol import Catalogue, EntryDescription

from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.hints import choices
from bskernel.core.step import ExecutorRef, Step


class ExecutorInfo:
    """One executor in one version. What it is made of and what it can do is found out once, when it is asked for."""

    def __init__(
        self,
        *,
        name: str,
        version: str,
        default: bool,
        digest: Callable[[], str],
        catalogue: Callable[[], Catalogue],
        shipped: bool = True,
    ) -> None:
        """`shipped` is False for an executor of the user's own, which may have changed since it was described."""
        self.name = name
        self.version = version
        self.default = default
        self.shipped = shipped
        self._digest = digest
        self._catalogue = catalogue

    @cached_property
    def ref(self) -> ExecutorRef:
        """With the digest of all that it is made of. Raises ConfigError."""
        return ExecutorRef(name=self.name, version=self.version, digest=self._digest())

    @cached_property
    def catalogue(self) -> Catalogue:
        """What it said of itself. Raises ConfigError."""
        return self._catalogue()

    @cached_property
    def _entries(self) -> dict[str, EntryDescription]:
        return {entry.name: entry for entry in self.catalogue.entries}

    def entry(self, name: str) -> EntryDescription | None:
        """The entry of that name."""
        return self._entries.get(name)


class Executors(msgspec.Struct, frozen=True, kw_only=True):
    """All executors that this installation knows."""

    known: tuple[ExecutorInfo, ...]
    undescribed: tuple[ExecutorRef, ...] = ()  # recipes without a catalogue

    def names(self) -> list[str]:
        """Names of executors, each once."""
        return sorted({info.name for info in self.known} | {ref.name for ref in self.undescribed})

    def entries(self, name: str) -> frozenset[str] | None:
        """The entries of an executor's default version, or else of its first; None without a catalogue."""
        found = [info for info in self.known if info.name == name]
        chosen = next((info for info in found if info.default), found[0] if found else None)
        return None if chosen is None else frozenset(entry.name for entry in chosen.catalogue.entries)

    def check_described(self, name: str, version: str, where: str) -> None:
        """Raise EnvironmentLacking when the executor, in that version or in any, has no catalogue yet."""
        if any(info.name == name and version in {"", info.version} for info in self.known):
            return
        for ref in self.undescribed:
            if ref.name == name and version in {"", ref.version}:
                raise EnvironmentLacking(
                    f"{where}: {ref} is not described yet: its recipe has no catalogue.json",
                    hint=f"where it can be installed, run: bskernel {how_to_describe(ref)}",
                )

    def resolve(self, wanted: str, versions: Mapping[str, str], where: str) -> ExecutorInfo:
        """The executor for `NAME` or `NAME@VERSION`; without a version, the build's choice or the default.

        Raises ConfigError with the choices; EnvironmentLacking when it has no catalogue yet.
        """
        name, _, version = wanted.partition("@")
        version = version or versions.get(name, "")
        self.check_described(name, version, where)
        candidates = [info for info in self.known if info.name == name]
        if not candidates:
            raise ConfigError(
                f"{where}: unknown executor {name!r}",
                hint=f"{choices(name, self.names(), 'executors')}; one of your own is found in BSKERNEL_RECIPES",
            )
        if not version:
            return next((info for info in candidates if info.default), candidates[0])
        for info in candidates:
            if info.version == version:
                return info
        have = [info.version for info in candidates]
        raise ConfigError(f"{where}: {name} has no version {version!r}", hint=choices(version, have, "versions"))


def how_to_describe(ref: ExecutorRef) -> str:
    """The arguments of bskernel that make the catalogue of a recipe."""
    return f"images describe {ref} --write"


EntryOf = Callable[[Step], EntryDescription | None]


def runs_after_failure(entry: EntryDescription | None) -> bool:
    """Does a step of that entry run also when another has failed?"""
    return entry is not None and entry.after_failure


def required_by(entry: EntryDescription) -> frozenset[str]:
    """The inputs that a step of that entry cannot do without."""
    return frozenset(item.name for item in entry.inputs if item.required)
