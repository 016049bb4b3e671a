"""Checks the resources that a cluster's workers declare against the demands of steps."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from distributed import Client

from bskernel.cluster.resources import find_shortage
from bskernel.core.step import Step
from bskernel.host.thread import Thread


class Capacity:
    """The declared resources of a cluster's workers, refreshed when they do not cover a demand."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._declared: list[dict[str, float]] = []
        self._reported: set[str] = set()

    def find_shortage(self, demand: Mapping[str, int]) -> str | None:
        """Why no worker can ever run a step with that demand, or None. None also while there are no workers yet."""
        if not demand or find_shortage(demand, self._declared) is None:
            return None
        self._refresh()
        return find_shortage(demand, self._declared) if self._declared else None

    def watch(self, waiting: Callable[[], list[tuple[Step, dict[str, int]]]], note: Callable[[str], None]) -> None:
        """Note once, whenever workers come or go, each resource that steps wait for because no worker has it.

        `waiting` returns the unfinished steps and their demands. Both functions are called in other threads.
        """

        def check_again() -> None:
            with contextlib.suppress(
                OSError, RuntimeError, ValueError
            ):  # the scheduler may be gone, or the run ended
                self._refresh()
                for step, demand in waiting():
                    shortage = (
                        find_shortage(demand, self._declared)
                        if self._declared
                        else "no worker of the cluster is left"
                    )
                    if shortage is not None and shortage not in self._reported:
                        self._reported.add(shortage)
                        note(f"{shortage}: step {step.name} waits for one")

        def on_event(event: tuple[float, Any]) -> None:
            if isinstance(event[1], dict) and event[1].get("action") in {"add-worker", "remove-worker"}:
                # Not in this thread, which also receives the scheduler's answers.
                Thread(target=check_again, daemon=True).start()

        self._client.subscribe_topic("all", on_event)

    def _refresh(self) -> None:
        workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        self._declared = [worker["resources"] for worker in workers]
