"""The interface of whoever follows a build while it runs."""

from __future__ import annotations

import collections
import functools
from collections.abc import Callable
from typing import Protocol

from bskernel_protocol import Event

from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep


class Observer(Protocol):
    """Follows a build. All calls come from one thread, also when several steps run at once."""

    def note(self, text: str) -> None:
        """A remark about the build, e.g. which runtime is used and why."""

    def planned(self, steps: tuple[Step, ...]) -> None:
        """The build begins."""

    def started(self, step: Step) -> None:
        """A step begins."""

    def running(self, step: Step) -> None:
        """A step that has started is not recalled: a worker runs it."""

    def event(self, step: Step, event: Event) -> None:
        """The step's executor sent an event."""

    def ended(self, step: Step, ended: EndedStep) -> None:
        """A step has ended."""

    def over(self) -> None:
        """The build has ended, in whatever way."""


class SilentObserver:
    """Ignores every event."""

    def note(self, text: str) -> None:
        """A remark about the build."""

    def planned(self, steps: tuple[Step, ...]) -> None:
        """The build begins."""

    def started(self, step: Step) -> None:
        """A step begins."""

    def running(self, step: Step) -> None:
        """A worker runs the step."""

    def event(self, step: Step, event: Event) -> None:
        """The step sent an event."""

    def ended(self, step: Step, ended: EndedStep) -> None:
        """A step has ended."""

    def over(self) -> None:
        """The build has ended."""


class CompositeObserver:
    """An observer that passes every call to several others."""

    def __init__(self, observers: tuple[Observer, ...]) -> None:
        self._observers = observers

    def note(self, text: str) -> None:
        """A remark about the build."""
        for observer in self._observers:
            observer.note(text)

    def planned(self, steps: tuple[Step, ...]) -> None:
        """The build begins."""
        for observer in self._observers:
            observer.planned(steps)

    def started(self, step: Step) -> None:
        """A step begins."""
        for observer in self._observers:
            observer.started(step)

    def running(self, step: Step) -> None:
        """A step is not recalled: a worker runs it."""
        for observer in self._observers:
            observer.running(step)

    def event(self, step: Step, event: Event) -> None:
        """The step's executor sent an event."""
        for observer in self._observers:
            observer.event(step, event)

    def ended(self, step: Step, ended: EndedStep) -> None:
        """A step has ended."""
        for observer in self._observers:
            observer.ended(step, ended)

    def over(self) -> None:
        """The build has ended."""
        for observer in self._observers:
            observer.over()


class DelayedObserver:
    """An observer that passes every call on later, in order, when it is told to: `pass_on`."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._calls: collections.deque[Callable[[], None]] = collections.deque()

    def pass_on(self) -> None:
        """Pass on all calls so far. After an error, the calls that follow it are left for the next time."""
        while self._calls:
            self._calls.popleft()()

    def note(self, text: str) -> None:
        """A remark about the build."""
        self._calls.append(functools.partial(self._observer.note, text))

    def started(self, step: Step) -> None:
        """A step begins."""
        self._calls.append(functools.partial(self._observer.started, step))

    def running(self, step: Step) -> None:
        """A step is not recalled: a worker runs it."""
        self._calls.append(functools.partial(self._observer.running, step))

    def event(self, step: Step, event: Event) -> None:
        """The step's executor sent an event."""
        self._calls.append(functools.partial(self._observer.event, step, event))

    def ended(self, step: Step, ended: EndedStep) -> None:
        """A step has ended."""
        self._calls.append(functools.partial(self._observer.ended, step, ended))
