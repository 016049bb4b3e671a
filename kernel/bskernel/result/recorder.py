"""Records each step in the build directory as soon as it has ended."""

from __future__ import annotations

from bskernel.core.manifest import manifest_of
from bskernel.core.observers import CompositeObserver, Observer
from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep
from bskernel.result.build_directory import BuildDirectory


class RecordingObserver(CompositeObserver):
    """Passes events on, and writes each ended step to the build directory."""

    def __init__(self, observers: tuple[Observer, ...], directory: BuildDirectory) -> None:
        super().__init__(observers)
        self.directory = directory

    def ended(self, step: Step, ended: EndedStep) -> None:
        """A step has ended: its folder is written before the other observers hear of it."""
        if ended.action is not None:
            self.directory.record_step(step.label, ended.action, manifest_of(step, ended.inputs), ended.log)
        super().ended(step, ended)
