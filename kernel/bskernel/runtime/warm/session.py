"""A warm session that a run has borrowed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import msgspec
from bskernel_protocol import Event

from bskernel.core.errors import EnvironmentLacking
from bskernel.core.interfaces import SessionEnded
from bskernel.core.step import ExecutorRef
from bskernel.runtime.session import FramedSession
from bskernel.runtime.session_dirs import SessionFolders
from bskernel.runtime.warm.client import BorrowedTransport


class WarmSession(FramedSession):
    """Borrowed from its daemon; closing it returns it. If it is lost, its steps may run in another session."""

    def __init__(
        self, transport: BorrowedTransport, executor: ExecutorRef, end_orphans: Callable[[SessionFolders], None]
    ) -> None:
        super().__init__(transport, transport.folders, executor)
        self.executor = executor
        self._borrowed = transport
        self._end_orphans = end_orphans

    @property
    def lost(self) -> bool:
        """True when it ended and no step is to blame."""
        return self._borrowed.lost

    def run(
        self,
        directory: str,
        *,
        timeout_s: float | None,
        memory_mib: int | None = None,
        on_event: Callable[[Event], None],
    ) -> SessionEnded:
        """Run one step; others may run at the same time."""
        ended = super().run(directory, timeout_s=timeout_s, memory_mib=memory_mib, on_event=on_event)
        return msgspec.structs.replace(ended, lost=ended.session_over and self.lost)

    def close(self) -> None:
        """Return the session to its daemon. May be called twice, from any thread."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            lost = self.lost
            self._borrowed.release()
            self._channel.close()
            self._borrowed.close()
            # What cannot be ended now still belongs to this process; the next run ends it as an orphan.
            with contextlib.suppress(EnvironmentLacking):
                if lost:
                    self._end_orphans(self._folders)
                if self._folders.are_ours():
                    self._folders.remove()
