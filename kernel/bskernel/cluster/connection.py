"""A cluster for the length of a run: found or started, with a crew on it, and closed at the end."""

from __future__ import annotations

import contextlib
import logging
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import dask
from dask.utils import parse_bytes
from distributed import Client, LocalCluster, Security
from distributed.core import Status

from bskernel.cluster.address import LocalAddress, Place, QueueAddress, QueueName, SchedulerAddress
from bskernel.cluster.dask_pool import DaskWorkerPool
from bskernel.cluster.local_workers import LocalWorkers, local_workers
from bskernel.cluster.messages import Site
from bskernel.cluster.request import ClusterRequest
from bskernel.cluster.resources import declared, split_limits, step_demand
from bskernel.cluster.version_check import code_digest
from bskernel.cluster.worker_plugin import end_all
from bskernel.config import ClusterSection
from bskernel.core.errors import ConfigError, EnvironmentLacking
from bskernel.core.interfaces import Store
from bskernel.core.step import Step
from bskernel.execution.scheduler import MEMORY
from bskernel.runtime.session_dirs import make_folders

if TYPE_CHECKING:
    from dask_jobqueue.core import JobQueueCluster

    from bskernel.execution.worker_pool import PoolEvent

_CONNECT_S = 20.0
DemandOf: TypeAlias = Callable[[Step], dict[str, int]]
Note: TypeAlias = Callable[[str], None]
Queue: TypeAlias = "queue.SimpleQueue[PoolEvent]"
_FIRST_WORKER_S = 60.0  # a worker of this machine that is not there by then never will be


class ConnectedCluster(NamedTuple):
    """A cluster that answers."""

    client: Client
    cache: str | None  # the workers'; their own when None
    demand_of: DemandOf  # what a step holds of a worker
    workers: LocalWorkers | None = None


@contextlib.contextmanager
def open_pool(
    place: Place, wanted: ClusterRequest, store: Store, note: Note, said: Queue
) -> Iterator[DaskWorkerPool]:
    """A crew on the cluster at `place`, which says all in `said`. Raises EnvironmentLacking, ConfigError.

    `store` is the build's own, which has the inputs of its steps.
    """
    with _quiet(), contextlib.ExitStack() as stack:
        if isinstance(place, LocalAddress):
            found = _local(place, wanted, note)
        elif isinstance(place, SchedulerAddress):
            found = _running(place, wanted, note)
        else:
            found = _queue(place, wanted, note)
        cluster = stack.enter_context(found)
        site = Site(
            code=code_digest(),
            root=str(wanted.root.resolve()),
            runtime=wanted.runtime,
            cache=cluster.cache,
            shared=wanted.shared_for(place),
            handed_over=not isinstance(place, LocalAddress),
        )
        pool = DaskWorkerPool(cluster.client, site, store, said, share=wanted.share, demand_of=cluster.demand_of)
        if cluster.workers is not None:
            cluster.workers.when_none_lives = pool.give_up
        yield pool


@contextlib.contextmanager
def _local(place: LocalAddress, wanted: ClusterRequest, note: Note) -> Iterator[ConnectedCluster]:
    limits = wanted.config.limits
    security = Security.temporary()
    folders = make_folders(wanted.cache)
    try:
        with (
            LocalCluster(
                n_workers=0, processes=False, host="127.0.0.1", protocol="tls", security=security,
                dashboard_address="127.0.0.1:0", silence_logs=False,
            ) as cluster,
            local_workers(
                cluster.scheduler_address,
                split_limits(limits.resources, place.workers),
                folders.home,
                _credentials(security, folders.home),
            ) as workers,
            _client(cluster, note, security) as client,
        ):  # fmt: skip
            try:
                client.wait_for_workers(1, timeout=_FIRST_WORKER_S)
            except TimeoutError as error:
                raise EnvironmentLacking("no worker starts here: " + " | ".join(workers.last_words())) from error
            # What a step holds beside those is not limited here, as it is not without a cluster.
            demand = _demand(frozenset(limits.resources), memory=False)
            yield ConnectedCluster(client, str(wanted.cache), demand, workers)
    finally:
        folders.remove()


@contextlib.contextmanager
def _running(place: SchedulerAddress, wanted: ClusterRequest, note: Note) -> Iterator[ConnectedCluster]:
    with _client(place.address, note, None) as client:
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        if not workers:
            note(f"cluster {place.address} has no workers yet: steps wait for them")
        memory = any(MEMORY in worker["resources"] for worker in workers)
        yield ConnectedCluster(client, wanted.config.cluster.cache, _demand(None, memory=memory))


@contextlib.contextmanager
def _queue(place: QueueAddress, wanted: ClusterRequest, note: Note) -> Iterator[ConnectedCluster]:
    section = wanted.config.cluster
    options = queue_options(section)
    if dask.config.get(f"jobqueue.{place.system}.shared-temp-directory", None):
        options["security"] = True
    try:
        cluster = batch_systems()[place.system](**options, silence_logs=False)
    except (ValueError, TypeError) as error:
        raise ConfigError(
            f"--cluster {place.system}: {' '.join(str(error).split())}",
            hint="set cores and memory in [cluster], or in Dask's own jobqueue.yaml",
        ) from error
    with cluster, _client(cluster, note, cluster.security) as client:
        _submit(cluster, section.workers, place.system)
        note(f"cluster: {section.workers} jobs are asked of {place.system}")
        try:
            yield ConnectedCluster(client, section.cache, _demand(None, memory=section.memory is not None))
        finally:
            # A job that is cancelled has no time to clean up.
            with contextlib.suppress(OSError):
                client.run(end_all, on_error="ignore")


def batch_systems() -> dict[QueueName, type[JobQueueCluster]]:
    """Dask's clusters by the systems that start their workers.

    To import them takes over interrupts, which would end the run at once and without an error: they are given back.
    """
    handler = signal.getsignal(signal.SIGINT)
    from dask_jobqueue.lsf import LSFCluster
    from dask_jobqueue.pbs import PBSCluster
    from dask_jobqueue.slurm import SLURMCluster

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, handler)
    return {"slurm": SLURMCluster, "lsf": LSFCluster, "pbs": PBSCluster}


def _submit(cluster: JobQueueCluster, jobs: int, system: str) -> None:
    """Ask for jobs, and wait until the batch system has taken them; `scale` would only log that it has not."""
    for _ in range(jobs):
        cluster.worker_spec.update(cluster.new_worker_spec())
    try:
        cluster.sync(cluster._correct_state)
    except (OSError, RuntimeError, ValueError) as error:
        # Dask cannot close what never began.
        for name, job in list(cluster.workers.items()):
            if job.job_id is None:
                job.status = Status.failed
                del cluster.workers[name], cluster.worker_spec[name]
        raise EnvironmentLacking(
            f"--cluster {system}: the batch system takes no job: {' '.join(str(error).split())}",
            hint="run this where jobs can be submitted; what is asked for is in [cluster] and Dask's jobqueue.yaml",
        ) from error


def queue_options(section: ClusterSection) -> dict[str, Any]:
    """What a batch system's cluster is made with; what is not said is as Dask's configuration says."""
    resources = dict(section.resources)
    if section.memory is not None:
        resources[MEMORY] = parse_bytes(section.memory) >> 20
    arguments = ["--resources", declared(resources)] if resources else []
    if section.steps is not None:
        arguments += ["--nthreads", str(section.steps)]  # the last one counts
    said = {
        "cores": section.cores,
        "memory": section.memory,
        "queue": section.queue,
        "walltime": section.walltime,
        "job_extra_directives": list(section.directives) or None,
        "job_script_prologue": list(section.prologue) or None,
        "worker_extra_args": arguments or None,
        "python": section.python or sys.executable,
        "log_directory": section.logs,
    }
    return {"processes": 1, **{name: value for name, value in said.items() if value is not None}}


@contextlib.contextmanager
def _client(where: Any, note: Note, security: Security | None) -> Iterator[Client]:
    try:
        client = Client(where, security=security, timeout=_CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise EnvironmentLacking(
            f"no scheduler answers at {where}: {error}",
            hint="start one: dask scheduler; `tls://` needs Dask's own keys",
        ) from error
    with client:
        note(f"cluster: dashboard at {client.dashboard_link}")
        yield client


def _demand(limited: frozenset[str] | None, *, memory: bool) -> DemandOf:
    return lambda step: step_demand(step, limited, memory=memory)


def _credentials(security: Security, folder: Path) -> list[str]:
    """As arguments of a worker: whoever else is on this machine must not give it work."""
    folder.chmod(0o700)
    arguments = []
    for name, text in security.get_tls_config_for_role("worker").items():
        if text is not None and name != "ciphers":
            path = folder / f"{name}.pem"
            path.touch(0o600)
            path.write_text(text, encoding="ascii")
            arguments += [f"--tls-{name.replace('_', '-')}", str(path)]
    return arguments


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """What Dask warns of, such as a worker that is lost, the build tells in its own words."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client", "tornado.application")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
