"""What a cluster's workers declare, and whether steps will ever get what they hold."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from typing import Any

from distributed import Client

from bskernel.cluster.resources import lacking
from bskernel.core.step import Step


class Capacity:
    """The workers of one cluster, asked for when what is known of them does not do."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._declared: list[dict[str, float]] = []
        self._told: set[str] = set()

    def lacking(self, demand: Mapping[str, int]) -> str | None:
        """Why no worker will ever have room for that, or None; where there are none yet, nobody knows."""
        if not demand or lacking(demand, self._declared) is None:
            return None
        self._look()
        return lacking(demand, self._declared) if self._declared else None

    def watch(self, waiting: Callable[[], list[tuple[Step, dict[str, int]]]], note: Callable[[str], None]) -> None:
        """From now on note, once, what steps wait for because no worker has it: none that came, or none any more.

        Both are called in threads of their own; `waiting` tells the steps that are not over, and what they hold.
        """

        def look_again() -> None:
            with contextlib.suppress(OSError, RuntimeError, ValueError):  # the scheduler may be gone, or the run over
                self._look()
                for step, demand in waiting():
                    why = lacking(demand, self._declared) if self._declared else "no worker of the cluster is left"
                    if why is not None and why not in self._told:
                        self._told.add(why)
                        note(f"{why}: step {step.name} waits for one")

        def hear(event: tuple[float, Any]) -> None:
            if isinstance(event[1], dict) and event[1].get("action") in {"add-worker", "remove-worker"}:
                # Not here, where the answer to any question comes in.
                threading.Thread(target=look_again, daemon=True).start()

        self._client.subscribe_topic("all", hear)

    def _look(self) -> None:
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        self._declared = [worker["resources"] for worker in workers]
