"""The crew on a Dask cluster: one task for each step, whose key says which action it is."""

from __future__ import annotations

import contextlib
import functools
import queue
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from bskernel_protocol import Artifact, Failure
from distributed import CancelledError, Client, Future, KilledWorker
from distributed.client import ClosedClientError

from bskernel.cluster.capacity import Capacity
from bskernel.cluster.log_buffer import LogBuffer
from bskernel.cluster.messages import Answer, Rejected, Site, StepRequest, decode_answer, decode_event, encode
from bskernel.cluster.transfer import ArtifactTransfer
from bskernel.cluster.version_check import code_digest
from bskernel.core.action import Action
from bskernel.core.interfaces import Store
from bskernel.core.step import ExecutorRef, Step
from bskernel.execution.action_runner import failed_outcome
from bskernel.execution.step_runner import StepOutcome
from bskernel.execution.worker_pool import Completion, Notice, PoolEvent, StepEvent

_NAME = "bskernel"
_LOST = Failure(
    category="environment",
    message="the cluster's scheduler was lost",
    hint="run this again: what was made until then is recalled",
)
_INSTALL = "install bskernel[cluster], of the build's version, where the workers run"


def _task() -> Callable[[str, bytes], bytes]:
    """Sent by value: a worker that cannot find what it is sent by name ends, and the task waits for ever."""

    def bskernel(code: str, data: bytes) -> bytes:
        from bskernel.cluster.worker_plugin import run_task

        return run_task(code, data)

    bskernel.__module__ = "__main__"
    return bskernel


_TASK = _task()


class DaskWorkerPool:
    """Carries out steps on a cluster's workers, and hears what they say while they run."""

    def __init__(
        self,
        client: Client,
        site: Site,
        store: Store,
        said: queue.SimpleQueue[PoolEvent],
        *,
        share: bool,
        demand_of: Callable[[Step], dict[str, int]],
    ) -> None:
        """`store` has the inputs of steps, and what the workers make when they share it.

        `demand_of` says what a step holds of a worker. With `share`, what was made meanwhile is recalled.
        """
        self._client = client
        self._site = site
        self._handing = ArtifactTransfer(store, handed_over=site.handed_over)
        self._logs = LogBuffer()
        self._share = share
        self._demand_of = demand_of
        self._lock = threading.Lock()
        self._running: dict[str, Step] = {}  # by the task's key
        self._futures: dict[str, Future[bytes]] = {}
        self._asked: Counter[str] = Counter()
        self._supply = Capacity(client)
        self._hopeless: Failure | None = None  # why no step ends any more
        self._runtime_name = "none"
        self.events = said
        # Dask forgets a topic that has a client's name some time after that client.
        client.subscribe_topic(client.id, self._hear)
        if site.handed_over:  # else who started the workers replaces them
            self._supply.watch(self._left, lambda text: said.put(Notice(text=text)))

    @property
    def runtime_name(self) -> str:
        """The workers' runtime; "none" when no step ran."""
        return self._runtime_name

    def expect(self, executors: Sequence[ExecutorRef]) -> None:
        """Workers start what they need when they need it."""

    def begin(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        """Submit a step; one that no worker will ever have room for fails at once."""
        demand = self._demand_of(step)
        if (why := self._supply.lacking(demand)) is not None:
            hint = f"start workers with it: dask worker --resources {next(iter(demand))}=N, or [cluster] resources"
            self._over(
                step, failed_outcome(Failure(category="environment", message=f"step {step.name}: {why}", hint=hint))
            )
            return
        if (unshared := self._handing.give(step, inputs)) is not None:
            self._over(step, failed_outcome(unshared))
            return
        key = self._key(action)
        order = StepRequest(
            site=self._site,
            step=msgspec.structs.replace(step, inputs={}),
            action=action,
            inputs=inputs,
            share=self._share,
            damaged=self._handing.is_doubtful(action),
            topic=self._client.id,
        )
        if self._is_lost:
            self._give_up(_LOST)
        with self._lock:
            hopeless = self._hopeless
            if hopeless is None:
                self._running[key] = step
                self._logs.begin(key)
        if hopeless is not None:
            self._over(step, failed_outcome(hopeless))
            return
        try:
            future = self._client.submit(
                _TASK, code_digest(), encode(order), key=key, resources=demand or None, allow_other_workers=False
            )
        except ClosedClientError:  # lost in this moment
            self._give_up(_LOST)
            return
        with self._lock:
            self._futures[key] = future
        future.add_done_callback(functools.partial(self._done, key))

    def _key(self, action: Action) -> str:
        """Dask shows what comes before the first dash as the task's kind."""
        entry = action.entry.replace("-", "_")
        # Of two builds with one action and one site Dask runs one task; of one that is to be fresh, each.
        other = self._site.digest[:8] if self._share else uuid.uuid4().hex[:8]
        key = f"{entry}-{action.key.sha256[:32]}-{other}"
        # What is asked for again is asked in earnest: Dask may still know how the last one ended.
        self._asked[key] += 1
        return key if self._asked[key] == 1 else f"{key}-{self._asked[key]}"

    def _left(self) -> list[tuple[Step, dict[str, int]]]:
        with self._lock:
            left = list(self._running.values())
        return [(step, self._demand_of(step)) for step in left]

    def give_up(self, last_words: tuple[str, ...]) -> None:
        """No worker lives any more: every step fails of that."""
        message = "one worker after another ended, and no more are started"
        self._give_up(Failure(category="crash", message=message, cause=last_words))

    def _give_up(self, failure: Failure) -> None:
        with self._lock:
            self._hopeless = failure
            left = list(self._running.values())
            self._running.clear()
        for step in left:
            self._over(step, failed_outcome(failure))

    @property
    def _is_lost(self) -> bool:
        """Is the scheduler gone? What was with it is cancelled, and of what comes later nothing is ever heard."""
        return self._client.status != "running"

    def interrupt(self) -> None:
        """Cancel every task: the workers end what runs."""
        with self._lock:
            left, futures = dict(self._running), list(self._futures.values())
            self._running.clear()
            self._futures.clear()
        with contextlib.suppress(OSError, CancelledError):  # the scheduler may be gone
            self._client.cancel(futures)  # what another build waits for too goes on
        for key, step in left.items():
            log = self._logs.end(key)
            self.events.put(Completion(step=step, outcome=StepOutcome(result=None, failure=None, log=log)))

    def _hear(self, event: tuple[float, Any]) -> None:
        """What a worker says of a step; Dask's own events are of no interest."""
        message = event[1]
        data = message.get(_NAME) if isinstance(message, dict) else None
        if data is None:
            return
        told = decode_event(data)
        step = self._running.get(told.key)
        if step is not None:
            self._logs.hear(told.key, told.event)
            self.events.put(StepEvent(step=step, event=msgspec.structs.replace(told.event, directory=step.label)))

    def _done(self, key: str, future: Future[bytes]) -> None:
        with self._lock:
            step = self._running.pop(key, None)
            self._futures.pop(key, None)
        if step is None:
            return
        self._logs.end(key)
        try:
            self._answered(step, decode_answer(future.result()))
        except KilledWorker as error:
            self._over(step, failed_outcome(_lost(step, error)))
        except CancelledError:
            self._over(step, failed_outcome(_cancelled(step, lost=self._is_lost)))
            if self._is_lost:
                self._give_up(_LOST)
        except ImportError as error:
            message = f"step {step.name}: a worker of the cluster cannot import bskernel"
            failure = Failure(category="environment", message=message, cause=(str(error),), hint=_INSTALL)
            self._over(step, failed_outcome(failure))
        except Exception as error:  # noqa: BLE001 - raised again where the build is carried out
            # It may be lost while an answer is fetched, which is heard of sooner than that it is lost.
            if self._is_lost or (isinstance(error, OSError) and future.status != "error"):
                self._over(step, failed_outcome(_cancelled(step, lost=True)))
            else:
                self.events.put(Completion(step=step, error=error))
        finally:
            future.release()

    def _answered(self, step: Step, answer: Answer) -> None:
        if isinstance(answer, Rejected):
            self._over(step, failed_outcome(answer.failure))
            return
        if answer.runtime != "none":
            self._runtime_name = answer.runtime
        if (unfetched := self._handing.take(step, answer.outcome)) is not None:
            self._over(step, failed_outcome(unfetched))
            return
        self.events.put(
            Completion(
                step=step,
                seconds=answer.seconds,
                outcome=answer.outcome,
                recalled=answer.recalled,
                doubtful=answer.doubtful,
            )
        )

    def _over(self, step: Step, outcome: StepOutcome) -> None:
        self.events.put(Completion(step=step, outcome=outcome))


def _cancelled(step: Step, *, lost: bool) -> Failure:
    while_there = f"the cluster's scheduler was lost while step {step.name} was with it"
    message = while_there if lost else f"somebody has cancelled step {step.name} on the cluster"
    return msgspec.structs.replace(_LOST, message=message)


def _lost(step: Step, error: KilledWorker) -> Failure:
    return Failure(
        category="crash",
        message=f"step {step.name}: {error.allowed_failures + 1} workers ended while they carried it out, the last "
        f"one {error.last_worker.address}",
        hint="look at the workers' logs: a worker that is ended for lack of memory, or at its time limit, ends so",
        facts={"decided_by": "runtime"},
    )
