"""The entries of an executor: declared once, described as data, looked up by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec
from bskernel_protocol import (
    PROTOCOL_VERSION,
    Catalogue,
    EntryDescription,
    FailureCategory,
    InputDescription,
    OutputDescription,
    ParameterDescription,
)

from bskernel_executors.sdk.parameters import NoParameters, describe_parameters
from bskernel_executors.sdk.rules_file import Rule, shared_rules
from bskernel_executors.sdk.step import Step, StepFailure

Input = InputDescription
Output = OutputDescription
ParamsT = TypeVar("ParamsT", bound=msgspec.Struct)
EntryFunction = Callable[[Step[Any]], None]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What can be done, with the type of its parameters and the function that does it."""

    description: EntryDescription
    parameters: type[msgspec.Struct]
    function: EntryFunction


class Registry:
    """The entries of one executor."""

    def __init__(
        self,
        *,
        executor: str,
        summary: str,
        version: str | None = None,
        rules: tuple[Rule, ...] = (),
        warm_up: Callable[[], None] | None = None,
    ) -> None:
        """`version` is asked of the environment (BSKERNEL_EXECUTOR=name@version) when not given.

        `rules` tell what the executor's failures are, before the rules that all executors share.
        `warm_up` runs once beside a session's first steps, in a process of its own. It may only make them faster: it
        can end at any time, and what it leaves in the session's HOME must be whole or absent.
        """
        self.executor = executor
        self.summary = summary
        self.version = version or os.environ.get("BSKERNEL_EXECUTOR", "").partition("@")[2] or "unversioned"
        self.rules = (*rules, *shared_rules())
        self.warm_up = warm_up
        self._entries: dict[str, Entry] = {}

    def entry(
        self,
        name: str,
        *,
        summary: str,
        parameters: type[ParamsT] = NoParameters,  # type: ignore[assignment]
        inputs: tuple[InputDescription, ...] = (),
        outputs: tuple[OutputDescription, ...] = (),
        stage_in: tuple[str, ...] = (),
        stage_out: str | None = None,
        needs: tuple[str, ...] = (),
        failure: FailureCategory = "unknown",
        after_failure: bool = False,
        checks_stages: tuple[str, ...] = (),
        checks_model: bool = False,
    ) -> Callable[[Callable[[Step[ParamsT]], None]], Callable[[Step[ParamsT]], None]]:
        """Declare the decorated function as an entry."""

        def declare(function: Callable[[Step[ParamsT]], None]) -> Callable[[Step[ParamsT]], None]:
            description = EntryDescription(
                name=name,
                summary=summary,
                parameters=describe_parameters(parameters),
                inputs=inputs,
                outputs=outputs,
                stage_in=stage_in,
                stage_out=stage_out,
                needs=needs,
                failure=failure,
                after_failure=after_failure,
                checks_stages=checks_stages,
                checks_model=checks_model,
            )
            self.add(Entry(description=description, parameters=parameters, function=function))
            return function

        return declare

    def add(self, entry: Entry) -> None:
        """Add an entry made in a loop. Raises ValueError when its name is taken."""
        name = entry.description.name
        if name in self._entries:
            raise ValueError(f"{self.executor} declares the entry {name!r} twice")
        self._entries[name] = entry

    def find(self, name: str) -> Entry:
        """The entry of that name. Raises StepFailure (config) with the choices."""
        try:
            return self._entries[name]
        except KeyError:
            raise StepFailure(
                category="config",
                message=f"{self.executor}@{self.version} has no entry {name!r}",
                hint=f"its entries: {', '.join(sorted(self._entries))}",
            ) from None

    def category(self, name: str) -> FailureCategory:
        """What failures of an entry are when nothing says otherwise."""
        entry = self._entries.get(name)
        return entry.description.failure if entry is not None else "executor"

    def catalogue(self) -> Catalogue:
        """All entries as data, in order of name."""
        return Catalogue(
            executor=self.executor,
            version=self.version,
            summary=self.summary,
            protocol=PROTOCOL_VERSION,
            entries=tuple(self._entries[name].description for name in sorted(self._entries)),
        )


__all__ = ["Entry", "Input", "Output", "ParameterDescription", "Registry"]
