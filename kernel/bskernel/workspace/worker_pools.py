"""A crew for a build or a sweep: on this machine, or on a cluster."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from bskernel_protocol import Artifact

from bskernel.cluster.address import parse_address
from bskernel.cluster.request import ClusterRequest
from bskernel.cluster.resources import limits_on
from bskernel.config import Config
from bskernel.core.action import Action
from bskernel.core.errors import BskernelError, EnvironmentLacking
from bskernel.core.interfaces import Runtime, Store
from bskernel.core.step import ExecutorRef, Step
from bskernel.execution.scheduler import limits_of
from bskernel.execution.session_pool import SessionPool
from bskernel.execution.worker_pool import LocalWorkerPool, PoolEvent, WorkerPool


class PoolHandle(NamedTuple):
    """A crew, and how much of what may run at once with it."""

    pool: WorkerPool
    limits: Mapping[str, int]


@contextlib.contextmanager
def local_pool(config: Config, store: Store, runtime: Callable[[], Runtime], *, share: bool) -> Iterator[PoolHandle]:
    """The crew on this machine; at the end all of its sessions are closed."""
    sessions = SessionPool(runtime)
    try:
        limits = limits_of(config.limits, len(os.sched_getaffinity(0)))
        yield PoolHandle(pool=LocalWorkerPool(store, sessions, share=share), limits=limits)
    finally:
        sessions.close()


@contextlib.contextmanager
def cluster_pool(
    where: str, wanted: ClusterRequest, store: Store, note: Callable[[str], None]
) -> Iterator[PoolHandle]:
    """A crew on the cluster that --cluster names, which is found or started when a step must really run.

    What was started is closed at the end. Raises ConfigError; EnvironmentLacking where Dask is not installed.
    """
    place = parse_address(where)
    wanted.shared_for(place)
    if any(importlib.util.find_spec(name) is None for name in ("distributed", "dask_jobqueue")):
        hint = "uv pip install 'bskernel[cluster]', or pip install 'bskernel[cluster]'"
        raise EnvironmentLacking("--cluster needs Dask, which is not installed", hint=hint)
    with contextlib.ExitStack() as stack:

        def opened(said: queue.SimpleQueue[PoolEvent]) -> WorkerPool:
            from bskernel.cluster.connection import open_pool

            return stack.enter_context(open_pool(place, wanted, store, note, said))

        yield PoolHandle(pool=LazyPool(opened), limits=limits_on(place, wanted.config.limits))


class LazyPool:
    """A crew that is there once it is needed; one that cannot be had is asked for once."""

    def __init__(self, opened: Callable[[queue.SimpleQueue[PoolEvent]], WorkerPool]) -> None:
        self._open = opened
        self._pool: WorkerPool | None = None
        self._lacking: BskernelError | None = None
        self.events: queue.SimpleQueue[PoolEvent] = queue.SimpleQueue()

    @property
    def runtime_name(self) -> str:
        return "none" if self._pool is None else self._pool.runtime_name

    def expect(self, executors: Sequence[ExecutorRef]) -> None:
        if self._lacking is not None:
            raise self._lacking
        if self._pool is None:
            try:
                self._pool = self._open(self.events)
            except BskernelError as error:
                self._lacking = error
                raise
        self._pool.expect(executors)

    def begin(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        if self._pool is None:
            raise ValueError("no step was expected")
        self._pool.begin(step, action, inputs)

    def interrupt(self) -> None:
        if self._pool is not None:
            self._pool.interrupt()


__all__ = ["PoolHandle", "cluster_pool", "local_pool"]
