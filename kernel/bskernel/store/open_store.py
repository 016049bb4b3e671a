"""Opens the store of a build, a sweep or a worker: the local one, and behind it the shared one, if there is one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from bskernel.core.interfaces import Store
from bskernel.store.disk import DiskStore
from bskernel.store.settings import SharedSettings
from bskernel.store.usage_lock import in_use

if TYPE_CHECKING:
    from bskernel.store.layered import LayeredStore


class OpenStore:
    """A store while it is used: garbage collection waits for it, and what is to be pushed is pushed at the end.

    `note` is told, in the thread that opened it, once, when the shared store cannot be used.
    """

    def __init__(
        self,
        cache: Path,
        shared: SharedSettings | None,
        note: Callable[[str], None],
        local: DiskStore | None = None,
    ) -> None:
        """`local` is that of the cache, if it is open. Raises EnvironmentLacking when the cache cannot be written."""
        local = local or DiskStore(cache)
        self._layered: LayeredStore | None = None
        self._used = in_use(cache)
        self._wait = True
        self.store: Store = local
        if shared is not None:
            from bskernel.store.layered import LayeredStore

            self.store = self._layered = LayeredStore(local, shared, cache, note)

    def leave_pending(self) -> None:
        """Do not wait for what is still to be pushed: it stays listed."""
        self._wait = False

    def __enter__(self) -> OpenStore:
        self._used.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._layered is not None:
                self._layered.close(wait=self._wait and error is None)
        finally:
            self._used.__exit__(kind, error, trace)
