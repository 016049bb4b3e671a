"""The resources that a step takes on a worker, and whether any worker has that much. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bskernel.cluster.address import LocalAddress, Place
from bskernel.config import LimitsSection
from bskernel.core.step import Step
from bskernel.execution.scheduler import JOBS, MEMORY, limits_of

IN_FLIGHT = 1000  # steps that a scheduler knows of at once: more than workers have room for, few enough to look at


def step_demand(step: Step, limited: frozenset[str] | None, *, memory: bool) -> dict[str, int]:
    """One of each thing that its entry needs, of those that are `limited` (all when None), and its memory."""
    demand = {name: 1 for name in sorted(step.needs) if limited is None or name in limited}
    if memory and step.memory_mib is not None:
        demand[MEMORY] = step.memory_mib
    return demand


def lacking(demand: Mapping[str, int], workers: Sequence[Mapping[str, float]]) -> str | None:
    """Why none of these workers will ever have that much, or None; each is what it declares."""
    for name, amount in demand.items():
        most = max((worker.get(name, 0) for worker in workers), default=0)
        if not most:
            return f"no worker of the cluster declares the resource {name}"
        if most < amount:
            return f"no worker of the cluster declares more than {most:g} of {name}, and the step needs {amount}"
    if any(all(worker.get(name, 0) >= amount for name, amount in demand.items()) for worker in workers):
        return None
    return f"no worker of the cluster declares all of {', '.join(demand)}" if demand else None


def limits_on(place: Place, section: LimitsSection) -> dict[str, int]:
    """What one build may have at once there; what is not of this machine has none of this machine's limits."""
    if isinstance(place, LocalAddress):
        # Twice what can run: a worker has its next step while it tells how one ended.
        return limits_of(section, 2 * place.workers)
    return {JOBS: section.jobs or IN_FLIGHT, **section.resources}


def split_limits(resources: Mapping[str, int], workers: int) -> tuple[dict[str, int], ...]:
    """What each of so many workers declares, so that together they declare just that."""
    hands: tuple[dict[str, int], ...] = tuple({} for _ in range(workers))
    for name, amount in resources.items():
        for place in range(amount):
            hand = hands[place % workers]
            hand[name] = hand.get(name, 0) + 1
    return hands


def declared(resources: Mapping[str, int]) -> str:
    """As an argument of `dask worker --resources`."""
    return ",".join(f"{name}={amount}" for name, amount in sorted(resources.items()))
