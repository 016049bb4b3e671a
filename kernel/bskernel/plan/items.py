"""Checks a step that runs once for each item of an input. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from bskernel.core.errors import ConfigError
from bskernel.core.hints import choices
from bskernel.core.metrics_form import METRICS
from bskernel.core.step import Each
from bskernel.flow.resolution import ResolvedFlowStep
from bskernel.plan.inputs import MODEL


def each_of(wanted: ResolvedFlowStep, given: Collection[str], names: Iterable[str], where: str) -> Each | None:
    """What the step runs for, if anything, with the inputs `given`; `names` are those of all steps.

    Raises ConfigError with the choices for an input that is not there or no folder, for an entry that cannot run
    several times, and for another step that has the name of an item.
    """
    if wanted.each is None:
        return None
    entry, where = wanted.entry, f"{where}: each = {wanted.each!r}"
    trees = [item.name for item in entry.inputs if item.kind == "tree"]
    if wanted.each not in trees:
        raise ConfigError(
            f"{where}: {entry.name} has no such input that is a folder", hint=choices(wanted.each, trees, "folders")
        )
    if wanted.each not in given:
        raise ConfigError(f"{where}: the input has no source", hint=f"set inputs.{wanted.each}")
    made = {output.name for output in entry.outputs}
    if made & {MODEL, METRICS}:
        raise ConfigError(f"{where}: {entry.name} makes the build's {' and '.join(sorted(made & {MODEL, METRICS}))}")
    if entry.after_failure or entry.checks_model or entry.checks_stages:
        raise ConfigError(f"{where}: {entry.name} checks or reports on the whole build, so it runs once")
    if same := next((name for name in names if name.startswith(f"{wanted.name}.")), None):
        raise ConfigError(f"{where}: step {same} has the name of an item", hint="give one of the two another name")
    return Each(input=wanted.each, outputs=entry.outputs)
