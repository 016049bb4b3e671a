"""What is known of the fields of FINN's build configuration, as finn_fields.toml says it. Pure."""

from __future__ import annotations

from typing import Any

import msgspec


class Product(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An output of FINN, the steps that make it, and the flow that does so here."""

    output: str = ""
    steps: tuple[str, ...] = ()
    flow: str = ""
    remove: tuple[str, ...] = ()  # steps of the flow that come after it
    lost: str = ""  # why no flow makes it


class FinnFields(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of finn_fields.toml."""

    executor: str
    library: str
    front: str
    whole: str
    clock_ns: float
    defaults: dict[str, tuple[Any, ...]]
    target: dict[str, str]
    files: dict[str, str]
    samples: dict[str, str]
    covered: dict[str, str]
    lost: dict[str, str]
    values: dict[str, dict[str, str]]
    renamed: dict[str, str]
    instead: dict[str, tuple[str, ...]]
    around: dict[str, tuple[str, ...]]
    product: tuple[Product, ...]
