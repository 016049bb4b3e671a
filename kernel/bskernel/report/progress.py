"""A build on a terminal: one line per ended step, and below them a bar with the running steps."""

from __future__ import annotations

import sys

from bskernel_protocol import Event
from bskernel_protocol import Progress as Told
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from bskernel.core.observers import SilentObserver
from bskernel.core.step import Step
from bskernel.core.step_report import EndedStep
from bskernel.core.visible_text import visible, visible_line
from bskernel.report.colours import wants_colours
from bskernel.report.terminal import has_line, step_line

STYLES = {"ran": "green", "recalled": "cyan", "failed": "bold red", "interrupted": "bold red", "skipped": "dim"}


class ProgressBar(SilentObserver):
    """The live display. Needs a terminal that can move its cursor."""

    def __init__(self, console: Console | None = None) -> None:
        # Where a cursor can move, rich knows no CLICOLOR and CLICOLOR_FORCE.
        self._console = console or Console(stderr=True, highlight=False, no_color=not wants_colours(sys.stderr))
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
        self._running: dict[str, str] = {}  # a step's label -> what it does, in order of start

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self.line(Text(text, style="yellow" if text.startswith("warning: ") else ""))

    def line(self, text: Text) -> None:
        """Print a line above the bar."""
        self._console.print(Text(visible(text.plain), style=text.style), soft_wrap=True)

    def planned(self, steps: tuple[Step, ...]) -> None:
        """Show the bar."""
        self._bar.update(self._task, total=len(steps))
        self._bar.start()

    def started(self, step: Step) -> None:
        """Show the step as running."""
        self._show(step, step.name)

    def event(self, step: Step, event: Event) -> None:
        """Show the step's progress."""
        if isinstance(event, Told):
            self._show(step, f"{step.name}: {event.text}")

    def _show(self, step: Step, text: str) -> None:
        self._running[step.label] = visible_line(text)
        self._describe()

    def _describe(self) -> None:
        if self._running:
            self._bar.update(self._task, description="  |  ".join(self._running.values()))

    def ended(self, step: Step, ended: EndedStep) -> None:
        """Print the step's line."""
        line = self._line(step, ended)
        if line is not None:
            self.line(line)
        self._running.pop(step.label, None)
        if step.item_of is None:
            self._bar.advance(self._task)
        self._describe()

    def _line(self, step: Step, ended: EndedStep) -> Text | None:
        if not has_line(step, ended.report):
            return None
        return Text(step_line(step, ended.report), style=STYLES[ended.report.status])

    def over(self) -> None:
        """Remove the bar."""
        self._bar.stop()
