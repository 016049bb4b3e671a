"""Licence variables of AMD's tools, and which parts of their values no log, result or report may show."""

from __future__ import annotations

LICENCE_VARIABLES = ("XILINXD_LICENSE_FILE", "LM_LICENSE_FILE")


def licence_texts(value: str) -> tuple[str, ...]:
    """Return a variable's value, its colon-separated parts, and the host of each PORT@HOST, without empty ones."""
    parts = [part for part in value.split(":") if part]
    hosts = [part.partition("@")[2] for part in parts]
    return tuple(dict.fromkeys(text for text in (value, *parts, *hosts) if text))
