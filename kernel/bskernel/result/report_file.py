"""The page in the directory of a build or a sweep. It is written on demand, and a new build there removes it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from bskernel.core.visible_text import visible
from bskernel.remains.plain_files import discard, read_plain

REPORT = "report.html"
_HEAD = "<!DOCTYPE html>\n<!-- bskernel report of {document} sha256:{digest}, page sha256:{own} -->\n"
_PATTERN = re.compile(_HEAD.format(document="[a-z.]+", digest="([0-9a-f]{64})", own="([0-9a-f]{64})").encode())
_LIMIT = 256 << 20  # bytes of a page


def whole_page(html: str, document: str, digest: str) -> str:
    """The page, headed by the digests of the result.json or sweep.json that it shows, and of itself."""
    html = visible(html)  # as it will be written
    own = hashlib.sha256(html.encode()).hexdigest()
    return _HEAD.format(document=document, digest=digest, own=own) + html


class StoredReport(NamedTuple):
    """A page in a directory."""

    shows: str  # the SHA-256 of a result.json or sweep.json
    is_whole: bool  # False if it is not as it was written


def read_report(folder: Path) -> StoredReport | None:
    """The page in a directory; None without one, and for a file of the user's by its name."""
    data = read_plain(folder / REPORT, _LIMIT) or b""
    found = _PATTERN.match(data)
    if found is None:
        return None
    own = hashlib.sha256(data[found.end() :]).hexdigest()
    return StoredReport(shows=found[1].decode(), is_whole=own.encode() == found[2])


def discard_report(folder: Path) -> None:
    """Remove the page, which shows a result that is about to be replaced. A file of the user's by its name stays."""
    if read_report(folder) is not None:
        discard(folder / REPORT)
