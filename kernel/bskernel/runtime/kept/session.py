"""A kept session for the length of a run; if it is lost in mid-step, the step is carried out in a new one."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
from bskernel_protocol import Event
from bskernel_protocol.layout import INPUTS, MANIFEST, OUTPUTS, WORK

from bskernel.ports import Session, SessionEnded
from bskernel.runtime.folders import SessionFolders
from bskernel.runtime.kept.lease import LentCarrier
from bskernel.runtime.session import FramedSession
from bskernel.step import ExecutorRef

_LOST_HINT = "its warm session is gone, by no fault of the step: run the build again"


class KeptSession(FramedSession):
    """Borrowed from its keeper: closing gives it back."""

    def __init__(
        self,
        carrier: LentCarrier,
        folders: SessionFolders,
        executor: ExecutorRef,
        replace: Callable[[SessionFolders], Session],
    ) -> None:
        super().__init__(carrier, folders, executor)
        self._lent = carrier
        self._replace = replace  # ends what is left of it, and opens another
        self._replacing = threading.Lock()
        self._other: Session | None = None

    @property
    def root(self) -> Path:
        """Step directories on the host."""
        return self._folders.steps if self._other is None else self._other.root

    @property
    def inputs_root(self) -> Path:
        """Inputs on the host."""
        return self._folders.inputs if self._other is None else self._other.inputs_root

    def run(
        self,
        directory: str,
        *,
        timeout_s: float | None,
        memory_mib: int | None = None,
        on_event: Callable[[Event], None],
    ) -> SessionEnded:
        """Carry out one step, again if the session is lost meanwhile."""
        if self._other is None or (self._folders.steps / directory).exists():
            ended = super().run(directory, timeout_s=timeout_s, memory_mib=memory_mib, on_event=on_event)
            if ended.failure is None or self._closed or not self._lent.lost:
                return ended
            try:
                other = self._opened_instead()
                return self._run_moved(other, directory, timeout_s, memory_mib, on_event)
            except OSError:
                failure = msgspec.structs.replace(ended.failure, hint=_LOST_HINT)
                return SessionEnded(failure=failure)
        return self._other.run(directory, timeout_s=timeout_s, memory_mib=memory_mib, on_event=on_event)

    def _opened_instead(self) -> Session:
        with self._replacing:
            if self._other is None:
                # The keeper, if it still lives, leaves the folders to their new owner once we hang up.
                self._folders.take_over()
                self._lent.hang_up()
                self._other = self._replace(self._folders)
            return self._other

    def _run_moved(
        self,
        other: Session,
        directory: str,
        timeout_s: float | None,
        memory_mib: int | None,
        on_event: Callable[[Event], None],
    ) -> SessionEnded:
        """Only manifest and inputs move; what the step had made is made anew, and its folder is where it was."""
        here, there = self._folders.steps / directory, other.root / directory
        for name in (OUTPUTS, WORK):
            (there / name).mkdir(parents=True)
        (here / MANIFEST).rename(there / MANIFEST)
        (here / INPUTS).rename(there / INPUTS)
        (self._folders.inputs / directory).rename(other.inputs_root / directory)
        shutil.rmtree(here, ignore_errors=True)
        try:
            return other.run(directory, timeout_s=timeout_s, memory_mib=memory_mib, on_event=on_event)
        finally:
            there.rename(here)
            shutil.rmtree(other.inputs_root / directory, ignore_errors=True)

    def close(self) -> None:
        """Give it back as it was; safe to call twice, from any thread."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
            self._lent.release()
            self._channel.close()
            self._lent.close()
            if self._folders.are_ours():
                self._folders.remove()
