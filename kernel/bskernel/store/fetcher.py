"""Brings results and blobs of a shared store to the local one, each verified before it is kept."""

from __future__ import annotations

from collections.abc import Iterable

from bskernel_protocol import Artifact, Digest

from bskernel.core.action import ActionResult
from bskernel.store.codec import blobs_of, decoded_result
from bskernel.store.disk import DiskStore
from bskernel.store.remote import RemoteStore
from bskernel.store.remote_link import RemoteLink, each, once

_MANY = 200  # questions for what is not there that cost more than a list of all that is


class Fetcher:
    """From one store to the other. `damaged` is what was found there but not whole: blobs, and keys of results."""

    def __init__(self, local: DiskStore, remote: RemoteStore, link: RemoteLink) -> None:
        self._local = local
        self._remote = remote
        self._link = link
        self.damaged: set[str] = set()
        self._misses = 0
        self._listed: set[str] | None = None

    def likely(self, key: str) -> ActionResult | None:
        """As `result`; where many are missing, by a list of all that was there a while ago."""
        if self._listed is not None and key not in self._listed:
            return None
        result = self.result(key)
        if result is None and self._listed is None:
            self._misses += 1
            if self._misses == _MANY:
                self._listed = self._link.asked(self._remote.keys)
        return result

    def result(self, key: str) -> ActionResult | None:
        """A result without its blobs; None when it is not there, or damaged."""
        found = self._link.asked(lambda: once(lambda: self.read_result(key)))
        result = decoded_result(found)
        if found is not None and result is None:
            self.damaged.add(key)
        return result

    def result_with_blobs(self, key: str) -> ActionResult | None:
        """A result, once every blob of it is here; its log may be missing."""
        result = self.result(key)
        if result is None:
            return None
        if self.brought(result.outputs, [result.log] if result.log is not None else []):
            return result
        if self._link.is_open():
            self.damaged.add(key)
        return None

    def brought(self, artifacts: Iterable[Artifact], log: Iterable[Digest] = ()) -> bool:
        """Have every blob of the artifacts here, their own, then those that the listings of trees name; and a log."""
        artifacts = tuple(artifacts)
        if not self.fetched([artifact.digest for artifact in artifacts], log):
            return False
        files = blobs_of(artifacts, self._local.get)
        return files is not None and self.fetched(files)

    def fetched(self, digests: Iterable[Digest], welcome: Iterable[Digest] = ()) -> bool:
        """Have all these blobs here; those that are merely welcome may be missing."""
        wanted = set(digests)
        missing = [digest for digest in {*wanted, *welcome} if not self._local.holds(digest)]
        if not missing:
            return True
        found = self._link.asked(lambda: each(self.fetch, missing))
        return found is not None and all(
            good for digest, good in zip(missing, found, strict=True) if digest in wanted
        )

    def read_result(self, key: str) -> bytes | None:
        """A result's bytes. Raises whatever the shared store raises."""
        with self._local.new() as target:
            return self._remote.result(key, target)

    def fetch(self, digest: Digest) -> bool:
        """Have a blob here. Raises whatever the shared store raises."""
        with self._local.new() as target:
            found = self._remote.fetch(digest, target)
            if found == "whole":
                self._local.adopt(target, digest)
        if found == "damaged":
            self.damaged.add(digest.sha256)
        return found == "whole"
