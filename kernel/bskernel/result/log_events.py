"""The log of a build or a sweep, as events."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bskernel.remains.plain_files import read_plain

_LIMIT = 256 << 20  # bytes of a log


def read_events(path: Path) -> tuple[Mapping[str, Any], ...]:
    """The events in a log, none without one; lines that are damaged, or not whole yet, are left out."""
    events = []
    for line in (read_plain(path, _LIMIT) or b"").splitlines():
        try:
            event = msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        if isinstance(event, dict):
            events.append(event)
    return tuple(events)
