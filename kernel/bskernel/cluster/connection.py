"""Connects to a cluster or starts one for the duration of a run, with a worker pool on it."""

from __future__ import annotations

import contextlib
import logging
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import dask
from dask.utils import parse_bytes
from distributed import Client, LocalCluster, Scheduler, SchedulerPlugin, Security
from distributed.core import Status

from bskernel.cluster.address import ClusterAddress, LocalAddress, QueueAddress, QueueName, SchedulerAddress
from bskernel.cluster.credentials import worker_arguments
from bskernel.cluster.dask_pool import DaskWorkerPool
from bskernel.cluster.link_pool import LinkWorkerPool
from bskernel.cluster.local_workers import LocalWorkers
from bskernel.cluster.messages import Site
from bskernel.cluster.quiet_dask import QUIET, hear_seldom
from bskernel.cluster.request import ClusterRequest
from bskernel.cluster.resources import format_resources, split_limits, step_demand
from bskernel.cluster.version_check import code_digest
from bskernel.cluster.worker_plugin import end_all
from bskernel.config import ClusterSection
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.interfaces import Store
from bskernel.core.step import Step
from bskernel.execution.scheduler import MEMORY

if TYPE_CHECKING:
    from dask_jobqueue.core import JobQueueCluster

    from bskernel.execution.worker_pool import PoolEvent

_CONNECT_S = 20.0
# A job starts in the folder of the build's command: nothing is imported from there.
_SAFE_PATH = "export PYTHONSAFEPATH=1"
DemandOf: TypeAlias = Callable[[Step], dict[str, int]]
Note: TypeAlias = Callable[[str], None]
Queue: TypeAlias = "queue.SimpleQueue[PoolEvent]"
_FIRST_WORKER_S = 60.0  # how long the first worker on this machine may take to start


class ConnectedCluster(NamedTuple):
    """A cluster that answers."""

    client: Client
    cache: str | None  # the workers' cache; None for their own default
    demand_of: DemandOf  # step -> the resources that it takes on a worker


@contextlib.contextmanager
def open_pool(
    address: ClusterAddress,
    request: ClusterRequest,
    store: Store,
    note: Note,
    events: Queue,
    local: LocalWorkers | None,
) -> Iterator[DaskWorkerPool | LinkWorkerPool]:
    """A worker pool on the cluster at `address`, which puts its events into `events`.

    `store` is the build's own, with the inputs of its steps; `local` are the workers if they are of this machine.
    Raises EnvironmentLacking, ConfigError.
    """
    with _quiet(), contextlib.ExitStack() as stack:
        if isinstance(address, LocalAddress):
            if local is None:
                raise ValueError("workers on this machine are needed")
            yield stack.enter_context(linked_pool(address, request, note, events, local))
            return
        if isinstance(address, SchedulerAddress):
            opened = _running(address, request, note)
        else:
            opened = _queue(address, request, note)
        cluster = stack.enter_context(opened)
        site = _site(address, request, cluster.cache)
        yield DaskWorkerPool(cluster.client, site, store, events, share=request.share, demand_of=cluster.demand_of)


def _site(address: ClusterAddress, request: ClusterRequest, cache: str | None) -> Site:
    return Site(
        code=code_digest(),
        root=str(request.root.resolve()),
        recipes=tuple(str(folder) for folder in request.recipes),
        runtime=request.runtime,
        cache=cache,
        shared=request.shared_for(address),
        handed_over=not isinstance(address, LocalAddress),
    )


@contextlib.contextmanager
def linked_pool(
    address: LocalAddress, request: ClusterRequest, note: Note, events: Queue, workers: LocalWorkers
) -> Iterator[LinkWorkerPool]:
    """A pool on workers of this machine; a scheduler in this process shows them on its dashboard.

    Raises EnvironmentLacking when none starts.
    """
    resources = request.config.limits.resources
    declared = split_limits(resources, address.workers)
    pool = LinkWorkerPool(
        _site(address, request, str(request.cache)),
        events,
        share=request.share,
        declared=declared,
        # Other resources are not limited on this machine, as without a cluster.
        demand_of=_demand(frozenset(resources), memory=False),
        allowed_failures=dask.config.get("distributed.scheduler.allowed-failures"),
    )
    workers.on_link, workers.on_give_up = pool.connect, pool.give_up
    with local_scheduler() as (cluster, security), contextlib.closing(workers), contextlib.closing(pool):
        note(f"cluster: dashboard at {cluster.dashboard_link}")
        if cluster.scheduler is None:
            raise ValueError("the scheduler does not run in this process")
        hear_seldom(cluster.scheduler)
        cluster.scheduler.add_plugin(_Presence(pool.disconnect))
        workers.start(cluster.scheduler_address, declared, worker_arguments(security, workers.folder))
        if not pool.wait_for_one(_FIRST_WORKER_S):
            raise EnvironmentLacking("no worker started on this machine: " + " | ".join(workers.last_words()))
        yield pool


class _Presence(SchedulerPlugin):
    """Tells the name of each worker that the scheduler loses or hears nothing of, as of one that is stopped."""

    def __init__(self, lost: Callable[[str], None]) -> None:
        self._lost = lost
        self._names: dict[str, str] = {}  # by address

    def add_worker(self, scheduler: Scheduler, worker: str) -> None:
        self._names[worker] = str(scheduler.workers[worker].name)

    def remove_worker(self, scheduler: Scheduler, worker: str, **_: Any) -> None:
        if (name := self._names.pop(worker, None)) is not None:
            self._lost(name)


@contextlib.contextmanager
def local_scheduler() -> Iterator[tuple[LocalCluster, Security]]:
    """A scheduler in this process, with credentials of its own."""
    security = Security.temporary()
    with (
        dask.config.set(QUIET),
        LocalCluster(
            n_workers=0, processes=False, host="127.0.0.1", protocol="tls", security=security,
            dashboard_address="127.0.0.1:0", silence_logs=False,
        ) as cluster,
    ):  # fmt: skip
        yield cluster, security


@contextlib.contextmanager
def _running(address: SchedulerAddress, request: ClusterRequest, note: Note) -> Iterator[ConnectedCluster]:
    with _client(address.address, note, None) as client:
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        if not workers:
            note(f"cluster {address.address} has no workers yet: steps wait for them")
        memory = any(MEMORY in worker["resources"] for worker in workers)
        yield ConnectedCluster(client, request.config.cluster.cache, _demand(None, memory=memory))


@contextlib.contextmanager
def _queue(address: QueueAddress, request: ClusterRequest, note: Note) -> Iterator[ConnectedCluster]:
    section = request.config.cluster
    options = queue_options(section)
    if dask.config.get(f"jobqueue.{address.system}.shared-temp-directory", None):
        options["security"] = True
    try:
        cluster = batch_systems()[address.system](**options, silence_logs=False)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"--cluster {address.system}: {' '.join(str(error).split())}",
            hint="set cores and memory in [cluster] or in Dask's jobqueue.yaml",
        ) from error
    with cluster, _client(cluster, note, cluster.security) as client:
        _submit(cluster, section.workers, address.system)
        note(f"cluster: submitted {section.workers} jobs to {address.system}")
        try:
            yield ConnectedCluster(client, section.cache, _demand(None, memory=section.memory is not None))
        finally:
            # A cancelled job has no time to clean up.
            with contextlib.suppress(OSError):
                client.run(end_all, on_error="ignore")


def batch_systems() -> dict[QueueName, type[JobQueueCluster]]:
    """Dask's cluster classes by batch system.

    Importing them installs a handler for SIGINT that would end the run at once without an error, so this function
    restores the old one.
    """
    handler = signal.getsignal(signal.SIGINT)
    from dask_jobqueue.lsf import LSFCluster
    from dask_jobqueue.pbs import PBSCluster
    from dask_jobqueue.slurm import SLURMCluster

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, handler)
    return {"slurm": SLURMCluster, "lsf": LSFCluster, "pbs": PBSCluster}


def _submit(cluster: JobQueueCluster, jobs: int, system: str) -> None:
    """Submit jobs and wait until the batch system has accepted them; Dask's `scale` would only log a failure."""
    for _ in range(jobs):
        cluster.worker_spec.update(cluster.new_worker_spec())
    try:
        cluster.sync(cluster._correct_state)
    except (OSError, RuntimeError, ValueError) as error:
        # Dask cannot close jobs that never started.
        for name, job in list(cluster.workers.items()):
            if job.job_id is None:
                job.status = Status.failed
                del cluster.workers[name], cluster.worker_spec[name]
        raise EnvironmentLacking(
            f"--cluster {system}: the batch system does not accept jobs: {' '.join(str(error).split())}",
            hint="run this where jobs can be submitted; [cluster] and Dask's jobqueue.yaml describe the jobs",
        ) from error


def queue_options(section: ClusterSection) -> dict[str, Any]:
    """The arguments of a batch system's cluster class; Dask's configuration supplies the rest."""
    resources = dict(section.resources)
    if section.memory is not None:
        resources[MEMORY] = parse_bytes(section.memory) >> 20  # MiB
    arguments = ["--resources", format_resources(resources)] if resources else []
    if section.steps is not None:
        arguments += ["--nthreads", str(section.steps)]  # overrides Dask's own --nthreads
    options = {
        "cores": section.cores,
        "memory": section.memory,
        "queue": section.queue,
        "walltime": section.walltime,
        "job_extra_directives": list(section.directives) or None,
        "job_script_prologue": [_SAFE_PATH, *section.prologue],
        "worker_extra_args": arguments or None,
        "python": section.python or sys.executable,
        "log_directory": section.logs,
    }
    return {"processes": 1, **{name: value for name, value in options.items() if value is not None}}


@contextlib.contextmanager
def _client(where: Any, note: Note, security: Security | None) -> Iterator[Client]:
    try:
        client = Client(where, security=security, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise EnvironmentLacking(
            f"no scheduler answers at {where}: {error}",
            hint="start one with: dask scheduler; tls:// needs Dask's own keys",
        ) from error
    with client:
        note(f"cluster: dashboard at {client.dashboard_link}")
        yield client


def _demand(limited: frozenset[str] | None, *, memory: bool) -> DemandOf:
    return lambda step: step_demand(step, limited, memory=memory)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence Dask's warnings, e.g. of a lost worker: the build reports them itself."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client", "tornado.application")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
