"""Keeps what a build directory needs of each step as soon as the step is over, and tells all who listen."""

from __future__ import annotations

from bskernel_protocol import Event

from bskernel.build_directory import BuildDirectory
from bskernel.building import EndedStep, Observer
from bskernel.carry_out import manifest_of
from bskernel.step import Step


class Noting:
    """An observer that writes, and passes everything on."""

    def __init__(self, observers: tuple[Observer, ...], directory: BuildDirectory) -> None:
        self._observers = observers
        self.directory = directory

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
        """A step is over: its folder is written before anybody hears of it."""
        if ended.action is not None:
            self.directory.note_step(step.label, ended.action, manifest_of(step, ended.inputs), ended.log)
        for observer in self._observers:
            observer.ended(step, ended)

    def over(self) -> None:
        """The build is over."""
        for observer in self._observers:
            observer.over()
