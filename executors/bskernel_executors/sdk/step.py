"""What an entry's function sees of its step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from bskernel_protocol import Failure, FailureCategory

ParamsT = TypeVar("ParamsT")


class StepFailure(Exception):  # noqa: N818 - the protocol's word for it
    """Raised by an entry to end its step with a failure that the user can act on.

    Without a category it is what the entry's description says of its failures.
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
    """One step under way: typed parameters, where inputs lie, where outputs go."""

    name: str
    params: ParamsT
    directory: Path
    inputs: frozenset[str]
    outputs: frozenset[str]
    tell: Callable[[str], None]
    tools: dict[str, str] = field(default_factory=dict)  # the installed tools it is given, each by what it is
    facts: dict[str, Any] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        """Scratch folder, thrown away after the step."""
        return self.directory / "work"

    def input(self, name: str) -> Path | None:
        """Where the input lies (file or folder, read-only), or None when the build gives none."""
        return self.directory / "in" / name if name in self.inputs else None

    def required_input(self, name: str) -> Path:
        """Where an input lies that the entry declares as required."""
        path = self.input(name)
        if path is None:
            raise StepFailure(
                category="executor",
                message=f"step {self.name} got no input {name!r}, which its entry requires",
            )
        return path

    def output(self, name: str) -> Path:
        """Where the output goes: the entry writes a file or makes a folder there."""
        if name not in self.outputs:
            raise StepFailure(
                category="executor",
                message=f"step {self.name} declares no output {name!r}: {sorted(self.outputs)}",
            )
        return self.directory / "out" / name

    def record(self, facts: dict[str, Any]) -> None:
        """Add facts to the step's record: deterministic values only, no times and no paths."""
        self.facts.update(facts)

    def about(self, **values: str) -> None:
        """Say what hints of the executor's rules may name, should the step fail (`values` of its rules file)."""
        self.values.update(values)

    def progress(self, text: str) -> None:
        """Tell the user what the step is doing now."""
        self.tell(text)
