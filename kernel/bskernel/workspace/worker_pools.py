"""A crew for a build or a sweep: on this machine, or on a cluster."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from bskernel_protocol import Artifact

from bskernel.cluster.address import place_of
from bskernel.cluster.request import Wanted
from bskernel.cluster.resources import limits_on
from bskernel.config import Config
from bskernel.core.action import Action
from bskernel.core.errors import BskernelError, EnvironmentLacking
from bskernel.core.interfaces import Runtime, Store
from bskernel.core.step import ExecutorRef, Step
from bskernel.execution.scheduler import limits_of
from bskernel.execution.session_pool import Sessions
from bskernel.execution.worker_pool import Crew, Heard, Workers


class Hired(NamedTuple):
    """A crew, and how much of what may run at once with it."""

    crew: Crew
    limits: Mapping[str, int]


@contextlib.contextmanager
def crew_here(config: Config, store: Store, runtime: Callable[[], Runtime], *, share: bool) -> Iterator[Hired]:
    """The crew on this machine; at the end all of its sessions are closed."""
    sessions = Sessions(runtime)
    try:
        limits = limits_of(config.limits, len(os.sched_getaffinity(0)))
        yield Hired(crew=Workers(store, sessions, share=share), limits=limits)
    finally:
        sessions.close()


@contextlib.contextmanager
def crew_on_cluster(where: str, wanted: Wanted, store: Store, note: Callable[[str], None]) -> Iterator[Hired]:
    """A crew on the cluster that --cluster names, which is found or started when a step must really run.

    What was started is closed at the end. Raises ConfigError; EnvironmentLacking where Dask is not installed.
    """
    place = place_of(where)
    wanted.shared_for(place)
    if any(importlib.util.find_spec(name) is None for name in ("distributed", "dask_jobqueue")):
        hint = "uv pip install 'bskernel[cluster]', or pip install 'bskernel[cluster]'"
        raise EnvironmentLacking("--cluster needs Dask, which is not installed", hint=hint)
    with contextlib.ExitStack() as stack:

        def opened(said: queue.SimpleQueue[Heard]) -> Crew:
            from bskernel.cluster.connection import open_crew

            return stack.enter_context(open_crew(place, wanted, store, note, said))

        yield Hired(crew=_Later(opened), limits=limits_on(place, wanted.config.limits))


class _Later:
    """A crew that is there once it is needed; one that cannot be had is asked for once."""

    def __init__(self, opened: Callable[[queue.SimpleQueue[Heard]], Crew]) -> None:
        self._open = opened
        self._crew: Crew | None = None
        self._lacking: BskernelError | None = None
        self.said: queue.SimpleQueue[Heard] = queue.SimpleQueue()

    @property
    def runtime_name(self) -> str:
        return "none" if self._crew is None else self._crew.runtime_name

    def expect(self, executors: Sequence[ExecutorRef]) -> None:
        if self._lacking is not None:
            raise self._lacking
        if self._crew is None:
            try:
                self._crew = self._open(self.said)
            except BskernelError as error:
                self._lacking = error
                raise
        self._crew.expect(executors)

    def begin(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        if self._crew is None:
            raise ValueError("no step was expected")
        self._crew.begin(step, action, inputs)

    def interrupt(self) -> None:
        if self._crew is not None:
            self._crew.interrupt()


__all__ = ["Hired", "crew_here", "crew_on_cluster"]
