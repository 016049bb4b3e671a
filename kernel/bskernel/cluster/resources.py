"""Computes the resources that a step takes on a worker, and whether any worker declares that much. Pure.

The failures of steps that no worker can run, or that lost too many, are the same whoever gives workers their steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bskernel_protocol import Failure

from bskernel.cluster.address import ClusterAddress, LocalAddress
from bskernel.config import LimitsSection
from bskernel.core.step import Step
from bskernel.execution.scheduler import JOBS, MEMORY, limits_of

IN_FLIGHT = 1000  # steps submitted at once: more than workers can run, few enough for the scheduler


def step_demand(step: Step, limited: frozenset[str] | None, *, memory: bool) -> dict[str, int]:
    """One of each of the entry's needs that is in `limited` (None: of every need), and its memory limit in MiB."""
    demand = {name: 1 for name in sorted(step.needs) if limited is None or name in limited}
    if memory and step.memory_mib is not None:
        demand[MEMORY] = step.memory_mib
    return demand


def find_shortage(demand: Mapping[str, int], workers: Sequence[Mapping[str, float]]) -> str | None:
    """Why no worker can ever meet the demand, or None. Each item of `workers` is what a worker declares."""
    for name, amount in demand.items():
        most = max((worker.get(name, 0) for worker in workers), default=0)
        if not most:
            return f"no worker of the cluster declares the resource {name}"
        if most < amount:
            return f"no worker of the cluster declares more than {most:g} of {name}, but the step needs {amount}"
    if any(all(worker.get(name, 0) >= amount for name, amount in demand.items()) for worker in workers):
        return None
    return f"no worker of the cluster declares all of {', '.join(demand)}" if demand else None


def no_worker_has(step: Step, demand: Mapping[str, int], shortage: str) -> Failure:
    """The failure of a step whose demand no worker can ever meet, because of that shortage."""
    hint = f"start workers with it: dask worker --resources {next(iter(demand))}=N, or [cluster] resources"
    return Failure(category="environment", message=f"step {step.name}: {shortage}", hint=hint)


def workers_lost(step: Step, count: int, last: str) -> Failure:
    """The failure of a step that so many workers have ended while running; `last` names the last of them."""
    return Failure(
        category="crash",
        message=f"step {step.name}: {count} workers ended while running it, the last one {last}",
        hint="read the workers' logs: a worker may have run out of memory or reached its time limit",
        facts={"decided_by": "runtime"},
    )


def limits_on(address: ClusterAddress, section: LimitsSection) -> dict[str, int]:
    """The limits of one build on that cluster. This machine's limits do not apply to other machines."""
    if isinstance(address, LocalAddress):
        # Twice what can run, so that a worker has its next step while the last result is on its way.
        return limits_of(section, 2 * address.workers)
    return {JOBS: section.jobs or IN_FLIGHT, **section.resources}


def split_limits(resources: Mapping[str, int], workers: int) -> tuple[dict[str, int], ...]:
    """Distribute resources over workers; returns what each worker declares."""
    shares: tuple[dict[str, int], ...] = tuple({} for _ in range(workers))
    for name, amount in resources.items():
        for index in range(amount):
            share = shares[index % workers]
            share[name] = share.get(name, 0) + 1
    return shares


def format_resources(resources: Mapping[str, int]) -> str:
    """Format resources for `dask worker --resources`."""
    return ",".join(f"{name}={amount}" for name, amount in sorted(resources.items()))
