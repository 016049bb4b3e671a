"""Chooses the backend of a build: the one it names, or the first that can run it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from bskernel.config import Config
from bskernel.core.errors import BskernelError, ConfigError, EnvironmentLacking
from bskernel.core.hints import choices
from bskernel.plan.backend_data import AUTO, Backend
from bskernel.plan.planner import Plan

PlanOf = Callable[[Config], Plan]


class Availability(msgspec.Struct, frozen=True, kw_only=True):
    """Executors (NAME@VERSION) that this machine cannot run, with the reasons."""

    lacking: Mapping[str, str]


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The backend of a build, its flow and versions, and why the others were not chosen."""

    asked: str
    backend: str
    flow: str
    executors: dict[str, str]
    others: dict[str, tuple[str, ...]]

    @property
    def lines(self) -> tuple[str, ...]:
        """The choice in words, for people."""
        versions = ", ".join(f"{name}@{version}" for name, version in self.executors.items())
        why = "the first that can run this build" if self.asked == AUTO else "named in build.backend"
        first = f"backend: {self.backend} ({why}): flow {self.flow} with {versions}"
        return (first, *(f"  not {name}: {'; '.join(reasons)}" for name, reasons in self.others.items()))


class Chosen(msgspec.Struct, frozen=True, kw_only=True):
    """A choice, with the configuration and the plan that it leads to."""

    choice: Choice
    config: Config
    plan: Plan


class _Unfit(Exception):  # noqa: N818 - an answer, not an error yet
    """Why a backend cannot run a build."""

    def __init__(self, reasons: Sequence[str], *, environment: bool, hint: str | None = None) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)
        self.environment = environment
        self.hint = hint


def _contradictions(config: Config, backend: Backend) -> list[str]:
    return [
        f"[executors] asks for {name}@{config.executors[name]}, and this backend is {name}@{version}"
        for name, version in backend.file.executors.items()
        if config.executors.get(name, version) != version
    ]


def backend_flow(config: Config, backend: Backend) -> str | None:
    """The flow that the backend runs for the one that is asked for, or None when it offers none for it.

    A flow of the user's own is run as it is.
    """
    asked = config.build.flow
    if isinstance(config.step, tuple) or asked.endswith(".toml"):
        return asked
    return backend.file.flows.get(asked)


def _lacks(backend: Backend, config: Config, plan: Plan, here: Availability) -> list[str]:
    """What the backend as a whole lacks; a tool that a step lacks is found when the step is planned."""
    undeclared = [tool for tool in backend.file.needs if tool not in config.tools]
    reasons = [f"it needs {tool}, but tools.{tool}.path is not set" for tool in undeclared]
    executors = dict.fromkeys(str(step.executor) for step in plan.steps)
    return reasons + [here.lacking[executor] for executor in executors if executor in here.lacking]


def _foreign(backend: Backend, plan: Plan, everywhere: frozenset[str]) -> list[str]:
    """A flow of the user's own may hold the steps of another backend, and none of this one's."""
    used = {step.executor.name for step in plan.steps} & everywhere
    if not used or used & backend.file.executors.keys():
        return []
    return [f"the flow's steps are those of {', '.join(sorted(used))}"]


def _fit(
    config: Config, backend: Backend, plan_of: PlanOf, here: Availability, everywhere: frozenset[str], where: str
) -> Chosen:
    """The build as this backend would carry it out; `everywhere` are the executors of all backends. Raises _Unfit."""
    wrong = _contradictions(config, backend)
    if wrong:
        raise _Unfit(wrong, environment=False, hint="leave out one of the two: build.backend, or the version")
    own = [f"{name}@{version}" for name, version in backend.file.executors.items()]
    lacks = [here.lacking[executor] for executor in own if executor in here.lacking]
    if lacks:
        raise _Unfit(lacks, environment=True)
    flow = backend_flow(config, backend)
    if flow is None:
        offered = ", ".join(backend.file.flows) or "none"
        raise _Unfit([f"it does not offer the flow {config.build.flow!r} (it offers {offered})"], environment=False)
    executors = {**backend.file.executors, **config.executors}
    build = msgspec.structs.replace(config.build, flow=flow)
    config = msgspec.structs.replace(config, build=build, executors=executors)
    try:
        plan = plan_of(config)
    except BskernelError as error:
        lacking = isinstance(error, EnvironmentLacking)
        reason = error.message.removeprefix(f"{where}: ")
        raise _Unfit([reason], environment=lacking, hint=error.hint) from error
    foreign = _foreign(backend, plan, everywhere)
    if foreign:
        raise _Unfit(foreign, environment=False)
    lacks = _lacks(backend, config, plan, here)
    if lacks:
        raise _Unfit(lacks, environment=True)
    choice = Choice(
        asked=str(config.build.backend), backend=backend.name, flow=flow, executors=backend.file.executors, others={}
    )
    return Chosen(choice=choice, config=config, plan=plan)


def _refusal(asked: str, where: str, unfit: Mapping[str, _Unfit]) -> BskernelError:
    """The error when no backend that is asked for can run the build."""
    first = next(iter(unfit.values()))
    alike = len(unfit) > 1 and len({found.reasons for found in unfit.values()}) == 1
    if alike and isinstance(first.__cause__, BskernelError):
        # What every backend refuses alike is the build's own mistake.
        return first.__cause__
    kind = EnvironmentLacking if any(found.environment for found in unfit.values()) else ConfigError
    if asked == AUTO:
        reasons = "; ".join(f"{name}: {found}" for name, found in unfit.items())
        return kind(f"{where}: no backend can run this build: {reasons}")
    return kind(f"{where}: backend {asked!r} cannot run this build: {first}", hint=first.hint)


def choose(config: Config, backends: Sequence[Backend], plan_of: PlanOf, here: Availability, where: str) -> Chosen:
    """The backend that `config.build.backend` names, or, for "auto", the first in order that can run the build.

    `plan_of` makes the plan of a configuration, up to the wanted last step, with its steps' tools. Raises ConfigError
    for a name that there is not and for versions that contradict the named backend; ConfigError or
    EnvironmentLacking, with the reasons, when none that is asked for can run the build.
    """
    asked = str(config.build.backend)
    names = [backend.name for backend in backends]
    if asked != AUTO and asked not in names:
        raise ConfigError(
            f"{where}: build.backend: there is no backend {asked!r}", hint=choices(asked, [AUTO, *names], "backends")
        )
    everywhere = frozenset(name for backend in backends for name in backend.file.executors)
    unfit: dict[str, _Unfit] = {}
    for backend in backends:
        if asked not in {AUTO, backend.name}:
            continue
        try:
            chosen = _fit(config, backend, plan_of, here, everywhere, where)
        except _Unfit as found:
            unfit[backend.name] = found
            continue
        reason = f"{backend.name} comes before it" if asked == AUTO else f"{asked} is named"
        others = {
            name: unfit[name].reasons if name in unfit else (f"not needed: {reason}",)
            for name in names
            if name != backend.name
        }
        return msgspec.structs.replace(chosen, choice=msgspec.structs.replace(chosen.choice, others=others))
    raise _refusal(asked, where, unfit)
