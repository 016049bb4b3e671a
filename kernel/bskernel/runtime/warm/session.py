"""A kept session for the length of a run."""

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
    """Borrowed from its keeper: closing gives it back. One that is lost is over, and its steps may run elsewhere."""

    def __init__(
        self, carrier: BorrowedTransport, executor: ExecutorRef, end_orphans: Callable[[SessionFolders], None]
    ) -> None:
        super().__init__(carrier, carrier.folders, executor)
        self.executor = executor
        self._lent = carrier
        self._end_left = end_orphans

    @property
    def lost(self) -> bool:
        """Is it gone for a reason that no step gave?"""
        return self._lent.lost

    def run(
        self,
        directory: str,
        *,
        timeout_s: float | None,
        memory_mib: int | None = None,
        on_event: Callable[[Event], None],
    ) -> SessionEnded:
        """Carry out one step; others may run beside it."""
        ended = super().run(directory, timeout_s=timeout_s, memory_mib=memory_mib, on_event=on_event)
        return msgspec.structs.replace(ended, lost=ended.session_over and self.lost)

    def close(self) -> None:
        """Give it back as it was; safe to call twice, from any thread."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            lost = self.lost
            self._lent.release()
            self._channel.close()
            self._lent.close()
            # What cannot be ended now stays ours, and the next run ends it as that of a dead owner.
            with contextlib.suppress(EnvironmentLacking):
                if lost:
                    self._end_left(self._folders)
                if self._folders.are_ours():
                    self._folders.remove()
