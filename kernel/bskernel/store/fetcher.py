"""Downloads results and blobs from a shared store to the local one, each verified before it is stored."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TypeAlias

from bskernel_protocol import Artifact, Digest, OutputDescription

from bskernel.core.action import ActionResult
from bskernel.store.codec import blobs_of, decoded_result, lacks_outputs
from bskernel.store.disk import DiskStore
from bskernel.store.remote import RemoteStore
from bskernel.store.remote_link import RemoteLink, each, once
from bskernel.store.signed_results import SignedResults

Outputs: TypeAlias = Iterable[OutputDescription] | None
_MANY = 200  # lookups of missing results that cost more than one listing of all results


class Fetcher:
    """Downloads to the local store. `damaged` holds digests of corrupt remote blobs and keys of corrupt results."""

    def __init__(self, local: DiskStore, remote: RemoteStore, link: RemoteLink, signed: SignedResults) -> None:
        self._signed = signed
        self._local = local
        self._remote = remote
        self._link = link
        self.damaged: set[str] = set()
        self._lock = threading.Lock()
        self._fetching: dict[Digest, threading.Lock] = {}  # blobs that are being downloaded
        self._misses = 0
        self._listed: set[str] | None = None

    def likely(self, key: str, outputs: Outputs = None) -> ActionResult | None:
        """Like `result`, but after many misses it asks for one listing of all keys and answers from that."""
        if self._listed is not None and key not in self._listed:
            return None
        result = self.result(key, outputs)
        if result is None and self._listed is None:
            self._misses += 1
            if self._misses == _MANY:
                self._listed = self._link.ask(self._remote.keys)
        return result

    def result(self, key: str, outputs: Outputs = None) -> ActionResult | None:
        """A remote result without its blobs; None when it is missing, damaged, or lacks declared outputs."""
        data = self._link.ask(lambda: once(lambda: self.read_result(key)))
        result = decoded_result(key, data)
        if result is not None and outputs is not None and lacks_outputs(result, outputs):
            result = None
        if data is not None and result is None:
            self.damaged.add(key)
        return result

    def result_with_blobs(self, key: str, outputs: Outputs = None) -> ActionResult | None:
        """A remote result after downloading its blobs; only its log may be missing."""
        result = self.result(key, outputs)
        if result is None:
            return None
        if self.fetch_artifacts(result.outputs, [result.log] if result.log is not None else []):
            return result
        if self._link.is_open():
            self.damaged.add(key)
        return None

    def fetch_artifacts(self, artifacts: Iterable[Artifact], log: Iterable[Digest] = ()) -> bool:
        """Download the missing blobs of artifacts, including the files of trees. Only `log` may be missing."""
        artifacts = tuple(artifacts)
        if not self.fetch_all([artifact.digest for artifact in artifacts], log):
            return False
        files = blobs_of(artifacts, self._local.get)
        return files is not None and self.fetch_all(files)

    def fetch_all(self, digests: Iterable[Digest], optional: Iterable[Digest] = ()) -> bool:
        """Download the missing blobs; False when one fails that is not `optional`."""
        required = set(digests)
        missing = [digest for digest in {*required, *optional} if not self._local.holds(digest)]
        if not missing:
            return True
        fetched = self._link.ask(lambda: each(self.fetch, missing))
        return fetched is not None and all(
            good for digest, good in zip(missing, fetched, strict=True) if digest in required
        )

    def read_result(self, key: str) -> bytes | None:
        """The bytes of a remote result, None when it is missing or does not count for want of a signature.

        Raises whatever the shared store raises.
        """
        with self._local.new() as target:
            return self._signed.admit(self._remote.result(key, target))

    def fetch(self, digest: Digest) -> bool:
        """Download a blob; False when it is missing or damaged. Raises whatever the shared store raises.

        Threads that ask for the same blob at the same time download it once.
        """
        with self._lock:
            fetching = self._fetching.setdefault(digest, threading.Lock())
        try:
            with fetching:
                return self._local.holds(digest) or self._fetch(digest)
        finally:
            with self._lock:
                self._fetching.pop(digest, None)

    def _fetch(self, digest: Digest) -> bool:
        with self._local.new() as target:
            state = self._remote.fetch(digest, target)
            if state == "whole":
                self._local.adopt(target, digest)
        if state == "damaged":
            self.damaged.add(digest.sha256)
        return state == "whole"
