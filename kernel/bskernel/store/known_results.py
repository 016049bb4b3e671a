"""Results of a shared store that lookups have found, while some of their blobs are not in the cache."""

from __future__ import annotations

import contextlib
from pathlib import Path

from bskernel.core.action import ActionResult
from bskernel.remains.plain_files import read_plain
from bskernel.store.codec import MAX_RESULT, decoded_result, encoded_result
from bskernel.store.disk import DiskStore
from bskernel.store.seal import SEAL_BYTES

KNOWN = "known"  # the folder in a cache


class KnownResults:
    """Files in the cache, by action. They spare lookups, are no results of the cache, and may be removed any time.

    The cache itself only ever remembers results whose blobs it has.
    """

    def __init__(self, local: DiskStore, folder: Path) -> None:
        """`folder` is that of one shared store."""
        self._local = local
        self._folder = folder

    def result(self, key: str) -> ActionResult | None:
        """The result that was found for the action with that key; None when there is none."""
        return decoded_result(key, read_plain(self._path(key), MAX_RESULT + SEAL_BYTES))

    def note(self, key: str, result: ActionResult) -> None:
        """Note a result that was found."""
        with contextlib.suppress(ValueError):  # what cannot be stored is looked up again
            self._local.keep(encoded_result(key, result), self._path(key))

    def forget(self, key: str) -> None:
        """Remove a result: it is in the cache, or its blobs are gone."""
        with contextlib.suppress(OSError):
            self._path(key).unlink()

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / key
