"""What a backend is, and those that ship with bskernel: one TOML file each, beside this module."""

from __future__ import annotations

import msgspec

AUTO = "auto"


class BackendFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys of a backend's file."""

    order: int  # `auto` tries the lowest first
    summary: str
    executors: dict[str, str]  # executor -> the version that this backend is
    flows: dict[str, str] = {}  # a flow that may be asked for -> the flow that this backend runs for it
    needs: tuple[str, ...] = ()  # tools without which none of its flows can be run


class Backend(msgspec.Struct, frozen=True, kw_only=True):
    """A backend by its name."""

    name: str
    file: BackendFile
