"""Opens the store of a build, a sweep or a worker: the local one, and the shared one behind it if configured."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from bskernel.core.interfaces import Store
from bskernel.store.disk import DiskStore
from bskernel.store.settings import SharedSettings
from bskernel.store.usage_lock import hold_shared

if TYPE_CHECKING:
    from bskernel.store.layered import LayeredStore


class OpenStore:
    """A store in use: holds off garbage collection, and finishes pending uploads when it closes.

    Calls `note`, in the thread that opened the store, once when the shared store cannot be used, and once when the
    cache is read-only.
    """

    def __init__(
        self,
        cache: Path,
        shared: SharedSettings | None,
        note: Callable[[str], None],
        local: DiskStore | None = None,
    ) -> None:
        """`local` is the cache's store, if open already. Raises EnvironmentLacking when the cache cannot be used."""
        local = local or DiskStore(cache)
        self._layered: LayeredStore | None = None
        self._local = local
        self._lock = hold_shared(cache)
        self._cache = cache
        self._note = note
        self._wait = True
        self.store: Store = local
        if shared is not None:
            from bskernel.store.layered import LayeredStore

            self.store = self._layered = LayeredStore(local, shared, cache, note)

    def leave_pending(self) -> None:
        """Do not wait for pending uploads: they stay in the journal for the next run."""
        self._wait = False

    def __enter__(self) -> OpenStore:
        if self._lock.__enter__():
            self._note(
                f"warning: the cache {self._cache} is read-only: results are recalled, and nothing new is remembered"
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._layered is not None:
                self._layered.close(wait=self._wait and error is None)
        finally:
            self._lock.__exit__(kind, error, trace)
            self._local.settle()
