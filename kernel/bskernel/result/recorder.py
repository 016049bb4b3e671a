"""Tells all who listen, and keeps what a build directory needs of each step as soon as the step is over."""

from __future__ import annotations

from bskernel_protocol import Event

from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep, Observer
from bskernel.execution.step_runner import manifest_of
from bskernel.result.build_directory import BuildDirectory


class Several:
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


class Noting(Several):
    """Writes as well."""

    def __init__(self, observers: tuple[Observer, ...], directory: BuildDirectory) -> None:
        super().__init__(observers)
        self.directory = directory

    def ended(self, step: Step, ended: EndedStep) -> None:
        """A step is over: its folder is written before anybody hears of it."""
        if ended.action is not None:
            self.directory.note_step(step.label, ended.action, manifest_of(step, ended.inputs), ended.log)
        super().ended(step, ended)
