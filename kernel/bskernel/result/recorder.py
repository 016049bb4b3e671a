"""Tells all who listen, and keeps what a build directory needs of each step as soon as the step is over."""

from __future__ import annotations

from bskernel.core.manifest import manifest_of
from bskernel.core.observers import CompositeObserver, Observer
from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep
from bskernel.result.build_directory import BuildDirectory


class RecordingObserver(CompositeObserver):
    """Writes as well."""

    def __init__(self, observers: tuple[Observer, ...], directory: BuildDirectory) -> None:
        super().__init__(observers)
        self.directory = directory

    def ended(self, step: Step, ended: EndedStep) -> None:
        """A step is over: its folder is written before anybody hears of it."""
        if ended.action is not None:
            self.directory.record_step(step.label, ended.action, manifest_of(step, ended.inputs), ended.log)
        super().ended(step, ended)
