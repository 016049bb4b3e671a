"""Where copies of what a build was given are laid, so that the paths in its configuration find them. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable

import msgspec

from bskernel.config.reader import UP


class GivenPlaces(msgspec.Struct, frozen=True, kw_only=True):
    """Places below one folder: of the configuration ("" is that folder itself), and of each given file."""

    config: str
    files: dict[str, str]  # path in the configuration -> path below the folder


def places_for(keys: Iterable[str]) -> GivenPlaces:
    """Places for files by their paths, which may begin with `../`.

    The configuration lies as many folders deep as the most distant file lies above it, so no place is outside.
    """
    keys = sorted(keys)
    depth = max((_above(key) for key in keys), default=0)
    config = "/".join([UP] * depth)
    return GivenPlaces(config=config, files={key: posixpath.normpath(posixpath.join(config, key)) for key in keys})


def _above(key: str) -> int:
    """How many folders above the configuration's a path begins."""
    parts = posixpath.normpath(key).split("/")
    return next((at for at, part in enumerate(parts) if part != ".."), len(parts))
