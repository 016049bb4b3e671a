"""A blueprint as read, and notes on what cannot be converted."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

SKIP = "~"  # the option of a branch point that means: no step
Kernels = tuple[str | dict[str, tuple[str, ...]], ...]  # a name, or with its backends in order of preference
Steps = tuple[str | tuple[str, ...], ...]  # a name, or the options of a branch point


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the conversion loses (`lost`) or alters (`changed`)."""

    kind: Literal["lost", "changed"]
    where: str
    value: Any
    why: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.where} = {msgspec.json.encode(self.value).decode()}: {self.why}"


class Blueprint(msgspec.Struct, frozen=True, kw_only=True):
    """A blueprint with its parents merged and its step operations applied."""

    name: str = ""
    description: str = ""
    board: str | None = None
    clock_ns: float
    output: Literal["estimates", "rtl", "bitfile"] = "estimates"
    start_step: str | None = None
    stop_step: str | None = None
    finn_config: dict[str, Any] = {}
    kernels: Kernels = ()
    steps: Steps = ()
