"""A file of each point of a sweep, joined to one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from bskernel_protocol import pretty_json

from bskernel.core.errors import ConfigError
from bskernel.result.exported_artifacts import ARTIFACTS
from bskernel.sweeps.analysis.table import Row

_DECODER = msgspec.json.Decoder(dict[str, list[Any]])


class CollectedFile(msgspec.Struct, frozen=True, kw_only=True):
    """What points have in common files: key -> items, each once, and the points that lack the file."""

    items: dict[str, list[Any]]
    lacking: tuple[str, ...]

    @property
    def text(self) -> str:
        """The file's content. Equal points give equal bytes."""
        return pretty_json(self.items)


def collect_files(rows: Iterable[Row], name: str) -> CollectedFile:
    """Join the JSON file of that name in the artifacts of all points, in their order. Raises ConfigError."""
    items: dict[str, dict[bytes, Any]] = {}
    lacking = []
    for row in rows:
        file = row.directory / ARTIFACTS / name if row.directory is not None else None
        if row.status != "ok" or file is None or not file.is_file():
            lacking.append(row.name)
            continue
        try:
            found = _DECODER.decode(file.read_bytes())
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file}: not an object of lists: {error}") from error
        for key, values in found.items():
            known = items.setdefault(key, {})
            for value in values:
                known.setdefault(msgspec.json.encode(value, order="sorted"), value)
    return CollectedFile(items={key: list(known.values()) for key, known in items.items()}, lacking=tuple(lacking))
