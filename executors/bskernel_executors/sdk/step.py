"""What an entry's function sees of its step, and how it fails."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from bskernel_protocol import Failure, FailureCategory

from bskernel_executors.sdk.step_log import make_logger

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

ParamsT = TypeVar("ParamsT")


class StepFailure(Exception):  # noqa: N818 - the protocol's word for it
    """Ends a step with a failure that tells the user what to do. Raise it in an entry.

    `message` is one sentence for the user and `hint` says what to change, with the key of the build if there is one.
    `cause` holds the first real error lines, the innermost last. `category` is one of bskernel_protocol's
    FailureCategory; without it, the executor's rules decide, and then what the entry declares (`Registry.entry`).

    Any other exception fails the step too. A MemoryError gives the category out_of_memory; for the rest, the rules
    and the entry decide as above, and the message is the exception's text.

        >>> from bskernel_executors.sdk import StepFailure
        >>> try:
        ...     raise StepFailure(
        ...         category="config", message="PE = 3 does not divide 8 channels", hint="set PE to 1, 2, 4 or 8"
        ...     )
        ... except StepFailure as error:
        ...     print(f"{error.failure.category}: {error.failure.message} -> {error.failure.hint}")
        config: PE = 3 does not divide 8 channels -> set PE to 1, 2, 4 or 8
    """

    def __init__(
        self,
        *,
        category: FailureCategory | None = None,
        message: str,
        hint: str | None = None,
        cause: tuple[str, ...] = (),
    ) -> None:
        super().__init__(message)
        self.has_category = category is not None
        self.failure = Failure(category=category or "unknown", message=message, hint=hint, cause=cause)


@dataclass(frozen=True, kw_only=True)
class Step(Generic[ParamsT]):
    """A running step, as its entry sees it: typed parameters, paths of inputs and outputs, a log.

    An entry gets its step from the server. A test of an entry can make one, in a folder with `in`, `out` and `work`:

        >>> import tempfile
        >>> from pathlib import Path
        >>> from bskernel_executors.sdk import Step
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("in", "out", "work"):
        ...     (folder / name).mkdir()
        >>> _ = (folder / "in" / "model").write_text("20")
        >>> step = Step(
        ...     name="add",
        ...     entry="add",
        ...     executor="calculator@1.0.0",
        ...     params=None,
        ...     directory=folder,
        ...     inputs=frozenset({"model"}),
        ...     outputs=frozenset({"model"}),
        ...     report_progress=print,
        ... )
        >>> number = int(step.required_input("model").read_text())
        >>> _ = step.output("model").write_text(str(number + 3))
        >>> step.record({"added": 3})
        >>> step.progress("added 3")
        added 3
        >>> step.facts, (folder / "out" / "model").read_text()
        ({'added': 3}, '23')
    """

    name: str  # of the step in the build; an entry can be used by several steps
    entry: str
    executor: str  # NAME@VERSION
    params: ParamsT
    directory: Path
    inputs: frozenset[str]
    outputs: frozenset[str]
    report_progress: Callable[[str], None]
    tools: dict[str, str] = field(default_factory=dict)  # mounted tools: name -> version, build and fingerprint
    facts: dict[str, Any] = field(default_factory=dict)  # what `record` has collected
    hint_values: dict[str, str] = field(default_factory=dict)  # what `set_hint_values` has collected

    @property
    def work(self) -> Path:
        """Scratch folder, deleted after the step. HOME and TMPDIR are inside it."""
        return self.directory / "work"

    def input(self, name: str) -> Path | None:
        """Return the path of an input (a file or folder, read-only), or None if the build gives none."""
        return self.directory / "in" / name if name in self.inputs else None

    def required_input(self, name: str) -> Path:
        """Return the path of a required input. Raises StepFailure (executor) if the step has no such input."""
        path = self.input(name)
        if path is None:
            raise StepFailure(
                category="executor",
                message=f"step {self.name} got no input {name!r}, which its entry requires",
            )
        return path

    def output(self, name: str) -> Path:
        """Return the path where the entry writes a file or creates a folder.

        Raises StepFailure (executor) if the entry does not declare this output.
        """
        if name not in self.outputs:
            raise StepFailure(
                category="executor",
                message=f"the entry of step {self.name} does not declare the output {name!r}",
                hint=f"declared outputs: {', '.join(sorted(self.outputs)) or 'none'}",
            )
        return self.directory / "out" / name

    def record(self, facts: dict[str, Any]) -> None:
        """Add facts to the step's record; a later value replaces an earlier one of the same key.

        Keys are strings, values are JSON types without NaN and infinities. They must be deterministic: no times, no
        paths. The key `summary` holds rows ({label, value, note}) for the build's report. Rows with the label
        "warning" are logged too.
        """
        self.facts.update(facts)
        for row in facts.get("summary", ()):
            if row["label"] == "warning":
                self.log.warning(row["value"])

    def set_hint_values(self, **values: str) -> None:
        """Set values that hints of the executor's rules may use if the step fails (`values` of its rules file)."""
        self.hint_values.update(values)

    def progress(self, text: str) -> None:
        """Show the user what the step is doing now, in a few words. Line breaks become spaces."""
        self.report_progress(text)

    @functools.cached_property
    def log(self) -> FilteringBoundLogger:
        """The step's logger, a structlog logger bound to step, entry and executor; its events go to log.jsonl.

        `step.log.warning("no layer is folded", layers=7)` writes the event, its level and `layers` as one line of
        JSON. `step.log.exception("...")` adds the traceback of the exception that is being handled.
        """
        return make_logger(step=self.name, entry=self.entry, executor=self.executor)
