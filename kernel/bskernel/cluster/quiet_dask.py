"""Settings of Dask for a scheduler and workers on this machine. Dask's own defaults suit tasks of many kinds."""

from __future__ import annotations

from typing import Any

# What looks every few milliseconds at what runs takes a tenth of a processor for four workers.
QUIET: dict[str, Any] = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
}
