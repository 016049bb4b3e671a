"""The registry of an executor: its entries, declared in Python, described as data, found by name."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
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
from bskernel_executors.sdk.rules_file import Rule, load_rules, shared_rules
from bskernel_executors.sdk.step import Step, StepFailure

ParamsT = TypeVar("ParamsT", bound=msgspec.Struct)
EntryFunction = Callable[[Step[Any]], None]


class Input(InputDescription, frozen=True, forbid_unknown_fields=True):
    """Declares an input of an entry: a file or folder that the step reads.

    `kind` is "file", "tree" (a folder) or "any". With `source="flow"` the newest output of the same name from an
    earlier step feeds it; with "config", only a path that the build names for the step. `default_from` is a key of
    the build, e.g. "quality.samples", whose path feeds it if nothing else does. The step finds it with `Step.input`,
    or with `Step.required_input` if it is required. `media_type` is the form of a file that the user gives: planning
    refuses one that is no ONNX file for "application/x-onnx", or no JSON object for "application/json".

    An optional tree `external_data` beside a `model` gets the files in which the user's ONNX file keeps its tensors,
    at the paths that the model names; nothing is there if it keeps all tensors itself.

        >>> from bskernel_executors.sdk import Input
        >>> model = Input("model", kind="file", help="ONNX model at stage hwgraph")
        >>> samples = Input("samples", kind="any", required=False, source="config", default_from="quality.samples")
        >>> model.required, model.source, samples.required
        (True, 'flow', False)
    """


class Output(OutputDescription, frozen=True, forbid_unknown_fields=True):
    """Declares an output of an entry: a file or folder that the step writes to the path `Step.output`.

    `kind` is "file" or "tree" (a folder). The step fails with category executor if it does not write a required
    output, writes one that is not declared, or writes the path of its step directory into one, because other steps
    and other machines reuse it.

        >>> from bskernel_executors.sdk import Output
        >>> report = Output("report", kind="file", media_type="application/json", required=False)
        >>> report.name, report.kind
        ('report', 'file')
    """


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of an executor: its description, its type of parameters, and the function that runs a step."""

    description: EntryDescription
    parameters: type[msgspec.Struct]
    function: EntryFunction
    confined: bool = True


class Registry:
    """The entries of one executor. The executor's module holds it in the variable `registry`.

    >>> from typing import Annotated
    >>> import msgspec
    >>> from bskernel_executors.sdk import Input, Output, Registry, Step, parameter
    >>> registry = Registry(executor="calculator", summary="arithmetic", version="1.0.0")
    >>> class Addition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    ...     number: Annotated[int, parameter("what to add")] = 1
    >>> @registry.entry(
    ...     "add",
    ...     summary="adds a number",
    ...     parameters=Addition,
    ...     inputs=(Input("model", kind="file"),),
    ...     outputs=(Output("model", kind="file"),),
    ... )
    ... def add(step: Step[Addition]) -> None:
    ...     before = int(step.required_input("model").read_text())
    ...     step.output("model").write_text(str(before + step.params.number))
    >>> [(entry.name, [item.name for item in entry.parameters]) for entry in registry.catalogue().entries]
    [('add', ['number'])]
    """

    def __init__(
        self,
        *,
        executor: str,
        summary: str,
        version: str | None = None,
        rules: Path | tuple[Rule, ...] = (),
        warm_up: Callable[[], None] | None = None,
        reuses_processes: bool = False,
    ) -> None:
        """Without `version`, the environment variable BSKERNEL_EXECUTOR (NAME@VERSION) gives it.

        `rules` classify the executor's failures; they come before the rules that all executors share. A file of rules
        is read at the first failure, and by `catalogue`.
        `warm_up` runs once per session, concurrently with its first steps, in its own process. It may only make steps
        faster: it can be killed at any time, so what it writes to the session's HOME must appear atomically.
        With `reuses_processes` a process that has run a step may run others of the same build, which halves what a
        small step takes. Declare it only if no entry leaves anything in its libraries, e.g. a counter or a setting,
        that changes what a later step makes; what every program can change is put back (`process_state`).
        """
        self.executor = executor
        self.summary = summary
        self.version = version or os.environ.get("BSKERNEL_EXECUTOR", "").partition("@")[2] or "unversioned"
        self._own_rules = rules
        self.warm_up = warm_up
        self.reuses_processes = reuses_processes
        self.boards: dict[str, str] = {}  # the boards that the executor knows -> the part on each
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
        confined: bool = True,
    ) -> Callable[[Callable[[Step[ParamsT]], None]], Callable[[Step[ParamsT]], None]]:
        """Declare the decorated function as an entry; it gets the step and returns nothing.

        `stage_in` lists the stages of the model that it accepts (empty: any) and `stage_out` is the stage that it
        leaves the model in (None: unchanged). `needs` names tools that must be mounted, e.g. "vivado". `failure` is
        the category of its failures that no rule knows. With `after_failure` the step also runs if an earlier step
        has failed, on the artifacts made so far. `checks_stages` and `checks_model` are explained at
        bskernel_protocol.EntryDescription. With `confined=False` its steps may do all that their session may, e.g.
        use a device of the machine; never declare that for an entry that runs what users wrote.

        Raises TypeError for a parameter without `parameter(...)`, and ValueError if the name is taken.
        """

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
            self.add(Entry(description=description, parameters=parameters, function=function, confined=confined))
            return function

        return declare

    def add(self, entry: Entry) -> None:
        """Add an entry without the decorator, e.g. one made in a loop. Raises ValueError if its name is taken."""
        name = entry.description.name
        if name in self._entries:
            raise ValueError(f"{self.executor} declares the entry {name!r} twice")
        self._entries[name] = entry

    def find(self, name: str) -> Entry:
        """Return the entry of this name. Raises StepFailure (config) with the choices."""
        try:
            return self._entries[name]
        except KeyError:
            raise StepFailure(
                category="config",
                message=f"{self.executor}@{self.version} has no entry {name!r}",
                hint=f"choose from its entries: {', '.join(sorted(self._entries))}",
            ) from None

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """The rules for failures, in order of precedence. Raises ValueError with the file's name."""
        own = self._own_rules
        return (*(load_rules(own) if isinstance(own, Path) else own), *shared_rules())

    @property
    def confines_all(self) -> bool:
        """Is every entry confined?"""
        return all(entry.confined for entry in self._entries.values())

    def is_confined(self, name: str) -> bool:
        """Return whether an entry's steps are confined to their folders; True if there is no such entry."""
        entry = self._entries.get(name)
        return entry is None or entry.confined

    def failure_category(self, name: str) -> FailureCategory:
        """Return the category of an entry's failures that no rule knows; executor if there is no such entry."""
        entry = self._entries.get(name)
        return entry.description.failure if entry is not None else "executor"

    def catalogue(self) -> Catalogue:
        """Describe all entries as data, in order of name. Raises ValueError for rules that are none."""
        _ = self.rules
        return Catalogue(
            executor=self.executor,
            version=self.version,
            summary=self.summary,
            protocol=PROTOCOL_VERSION,
            entries=tuple(self._entries[name].description for name in sorted(self._entries)),
            boards=dict(sorted(self.boards.items())),
        )


__all__ = ["Entry", "Input", "Output", "ParameterDescription", "Registry"]
