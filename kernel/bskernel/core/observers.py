"""Who hears of a build while it runs."""

from __future__ import annotations

from typing import Protocol

from bskernel_protocol import Event

from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep


class Observer(Protocol):
    """Hears of a build while it goes on: of several steps in turn when they run at once, always in one thread."""

    def note(self, text: str) -> None:
        """Something beside the steps, such as which runtime is used and why."""

    def planned(self, steps: tuple[Step, ...]) -> None:
        """The build begins."""

    def started(self, step: Step) -> None:
        """A step begins."""

    def running(self, step: Step) -> None:
        """A step that has started is not recalled: a worker runs it."""

    def event(self, step: Step, event: Event) -> None:
        """The step's executor says something."""

    def ended(self, step: Step, ended: EndedStep) -> None:
        """A step is over."""

    def over(self) -> None:
        """The build is over, however it ended."""


class CompositeObserver:
    """An observer that passes everything on."""

    def __init__(self, observers: tuple[Observer, ...]) -> None:
        self._observers = observers

    def note(self, text: str) -> None:
        """Something beside the steps."""
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
        """The step's executor says something."""
        for observer in self._observers:
            observer.event(step, event)

    def ended(self, step: Step, ended: EndedStep) -> None:
        """A step is over."""
        for observer in self._observers:
            observer.ended(step, ended)

    def over(self) -> None:
        """The build is over."""
        for observer in self._observers:
            observer.over()
