"""Opens the worker pool of a build or a sweep: on this machine, or on a cluster."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from bskernel_protocol import Artifact

from bskernel.config import Config
from bskernel.core.action import Action
from bskernel.core.errors import BskernelError, EnvironmentLacking
from bskernel.core.interfaces import Runtime, Store
from bskernel.core.step import ExecutorRef, Step
from bskernel.execution.scheduler import limits_of
from bskernel.execution.session_pool import SessionPool
from bskernel.execution.worker_pool import LocalWorkerPool, PoolEvent, WorkerPool

if TYPE_CHECKING:
    from bskernel.cluster.request import ClusterRequest


class PoolHandle(NamedTuple):
    """An open worker pool, and the limits on what runs in it at once."""

    pool: WorkerPool
    limits: Mapping[str, int]


@contextlib.contextmanager
def local_pool(config: Config, store: Store, runtime: Callable[[], Runtime], *, share: bool) -> Iterator[PoolHandle]:
    """Open a pool on this machine; all of its sessions are closed at the end."""
    sessions = SessionPool(runtime)
    try:
        limits = limits_of(config.limits, len(os.sched_getaffinity(0)))
        yield PoolHandle(pool=LocalWorkerPool(store, sessions, share=share), limits=limits)
    finally:
        sessions.close()


@contextlib.contextmanager
def cluster_pool(
    where: str, request: ClusterRequest, store: Store, note: Callable[[str], None]
) -> Iterator[PoolHandle]:
    """Open a pool on the cluster that --cluster names; it connects to the cluster when the first step really runs.

    Whatever it started is stopped at the end. Raises ConfigError; EnvironmentLacking if Dask is not installed.
    """
    from bskernel.cluster.address import LocalAddress, parse_address
    from bskernel.cluster.resources import limits_on

    address = parse_address(where)
    request.shared_for(address)
    if any(importlib.util.find_spec(name) is None for name in ("distributed", "dask_jobqueue")):
        hint = "uv pip install 'bskernel[cluster]', or pip install 'bskernel[cluster]'"
        raise EnvironmentLacking("--cluster needs Dask, which is not installed", hint=hint)
    with contextlib.ExitStack() as stack:

        def connect(events: queue.SimpleQueue[PoolEvent]) -> WorkerPool:
            workers = None
            if isinstance(address, LocalAddress):
                from bskernel.cluster.local_workers import local_workers

                # Their process imports Dask while this one does.
                workers = stack.enter_context(local_workers(request.cache))
            from bskernel.cluster.connection import open_pool

            return stack.enter_context(open_pool(address, request, store, note, events, workers))

        yield PoolHandle(pool=LazyPool(connect), limits=limits_on(address, request.config.limits))


class LazyPool:
    """A pool that opens when the first step is expected. If that fails, it fails again without another attempt."""

    def __init__(self, open_pool: Callable[[queue.SimpleQueue[PoolEvent]], WorkerPool]) -> None:
        self._open = open_pool
        self._pool: WorkerPool | None = None
        self._error: BskernelError | None = None
        self.events: queue.SimpleQueue[PoolEvent] = queue.SimpleQueue()

    @property
    def runtime_name(self) -> str:
        return "none" if self._pool is None else self._pool.runtime_name

    def expect(self, executors: Sequence[ExecutorRef]) -> None:
        if self._error is not None:
            raise self._error
        if self._pool is None:
            try:
                self._pool = self._open(self.events)
            except BskernelError as error:
                self._error = error
                raise
        self._pool.expect(executors)

    def begin(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        if self._pool is None:
            raise ValueError("no step was expected")
        self._pool.begin(step, action, inputs)

    def dismiss(self, executor: ExecutorRef) -> None:
        if self._pool is not None:
            self._pool.dismiss(executor)

    def interrupt(self) -> None:
        if self._pool is not None:
            self._pool.interrupt()


__all__ = ["PoolHandle", "cluster_pool", "local_pool"]
