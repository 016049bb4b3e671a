"""Signs of life of a build where nothing shows its progress: a line every half minute while steps run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

from bskernel_protocol import Event, Progress

from bskernel.core.observers import SilentObserver
from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep
from bskernel.host.thread import Thread

EVERY_S = 30.0  # CI systems end jobs that print nothing for some minutes
_SHOWN = 3  # steps in a line


class HeartbeatObserver(SilentObserver):
    """Says which steps run, since when, and what they reported last. Silent while no step runs."""

    def __init__(self, say: Callable[[str], None], every_s: float = EVERY_S) -> None:
        self._say = say
        self._every_s = every_s
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._running: dict[str, tuple[str, float, str]] = {}  # a step's label -> its name, its start, its progress

    def running(self, step: Step) -> None:
        """A worker runs the step."""
        self._running[step.label] = (step.name, time.monotonic(), "")
        if self._thread is None:
            self._thread = Thread(target=self._beat, name="heartbeat", daemon=True)
            self._thread.start()

    def event(self, step: Step, event: Event) -> None:
        """The step's executor sent an event."""
        if isinstance(event, Progress) and step.label in self._running:
            name, start, _ = self._running[step.label]
            self._running[step.label] = (name, start, event.text)

    def ended(self, step: Step, ended: EndedStep) -> None:
        """A step has ended."""
        self._running.pop(step.label, None)

    def over(self) -> None:
        """The build has ended."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _beat(self) -> None:
        while not self._over.wait(self._every_s):
            if running := self._running.copy():
                self._say(describe_running(running, time.monotonic()))


def describe_running(running: Mapping[str, tuple[str, float, str]], now: float) -> str:
    """Steps with their names, starts and progress in one line, the oldest first; `now` and the starts in seconds."""
    steps = [
        f"{name} ({now - start:.0f} s)" + (f": {progress}" if progress else "")
        for name, start, progress in running.values()
    ]
    more = f"; and {len(steps) - _SHOWN} more" if len(steps) > _SHOWN else ""
    return f"  still running        {'; '.join(steps[:_SHOWN])}{more}"
