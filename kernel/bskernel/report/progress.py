"""A build on a terminal: a line for each step that is over, and below them a bar with the running one."""

from __future__ import annotations

from bskernel_protocol import Event
from bskernel_protocol import Progress as Told
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from bskernel.building import EndedStep
from bskernel.report.terminal import Silent, step_line
from bskernel.step import Step

_STYLES = {"ran": "green", "recalled": "cyan", "failed": "bold red", "interrupted": "bold red", "skipped": "dim"}


class Bar(Silent):
    """Needs a terminal that can move its cursor."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._bar = Progress(
            SpinnerColumn(),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=self._console,
            transient=True,
        )
        self._task = self._bar.add_task("", total=None)

    def note(self, text: str) -> None:
        """A line of its own."""
        self._console.print(Text(text), soft_wrap=True)

    def planned(self, steps: tuple[Step, ...]) -> None:
        """Show the bar."""
        self._bar.update(self._task, total=len(steps))
        self._bar.start()

    def started(self, step: Step) -> None:
        """Show the step as running."""
        self._bar.update(self._task, description=step.name)

    def event(self, step: Step, event: Event) -> None:
        """Show what the step does."""
        if isinstance(event, Told):
            self._bar.update(self._task, description=f"{step.name}: {event.text}")

    def ended(self, step: Step, ended: EndedStep) -> None:
        """The step's one line."""
        self._console.print(Text(step_line(step, ended.report), style=_STYLES[ended.report.status]), soft_wrap=True)
        self._bar.advance(self._task)

    def over(self) -> None:
        """Take the bar away."""
        self._bar.stop()
