"""Settings of Dask for a scheduler and workers on this machine. Dask's own defaults suit tasks of many kinds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distributed import Scheduler

# What looks every few milliseconds at what runs takes a tenth of a processor for four workers.
QUIET: dict[str, Any] = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.scheduler.work-stealing": False,
    "distributed.scheduler.active-memory-manager.start": False,
}
_SHORTEST_S, _LONGEST_S = 0.5, 5.0  # between two heartbeats of a worker; the shortest is Dask's own
_IN_A_LIFE = 10  # heartbeats after which a silent worker is lost, at least


def hear_seldom(scheduler: Scheduler) -> None:
    """Have workers report to it as seldom as its `worker-ttl` allows; of few workers Dask wants two reports a second.

    Each takes the worker and the scheduler as long as a small step.
    """
    life_s = scheduler.worker_ttl or _IN_A_LIFE * _LONGEST_S
    interval_s = min(_LONGEST_S, max(_SHORTEST_S, life_s / _IN_A_LIFE))
    heard = scheduler.handlers["heartbeat_worker"]
    scheduler.handlers["heartbeat_worker"] = lambda **report: {**heard(**report), "heartbeat-interval": interval_s}
