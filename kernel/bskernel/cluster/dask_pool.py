"""A worker pool on a Dask cluster: one task per step, whose key contains the key of its action."""

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
from bskernel.cluster.messages import Answer, Rejected, Site, StepRequest, decode_answer, decode_news, encode
from bskernel.cluster.resources import no_worker_has, workers_lost
from bskernel.cluster.step_ends import completion_of, interrupted, pass_on
from bskernel.cluster.transfer import ArtifactTransfer
from bskernel.cluster.version_check import code_digest
from bskernel.core.action import Action
from bskernel.core.interfaces import Store
from bskernel.core.step import ExecutorRef, Step
from bskernel.execution.action_runner import failed_outcome
from bskernel.execution.step_runner import StepOutcome
from bskernel.execution.worker_pool import Completion, Notice, PoolEvent

_NAME = "bskernel"
_LOST = Failure(
    category="environment",
    message="the cluster's scheduler was lost",
    hint="run this again: steps that have finished are cached",
)
_INSTALL = "install bskernel[cluster] in the build's version where the workers run"


def _task() -> Callable[[str, bytes], bytes]:
    """The task, sent by value: a worker that cannot import a task by name ends, and the step would wait forever."""

    def bskernel(code: str, data: bytes) -> bytes:
        from bskernel.cluster.worker_plugin import run_task

        return run_task(code, data)

    bskernel.__module__ = "__main__"
    return bskernel


_TASK = _task()


class DaskWorkerPool:
    """Runs steps on a cluster's workers and receives their events."""

    def __init__(
        self,
        client: Client,
        site: Site,
        store: Store,
        events: queue.SimpleQueue[PoolEvent],
        *,
        share: bool,
        demand_of: Callable[[Step], dict[str, int]],
    ) -> None:
        """`store` has the inputs of steps, and the workers' results if they share it.

        `demand_of` returns the resources that a step takes on a worker. With `share`, a step whose result exists
        meanwhile is recalled.
        """
        self._client = client
        self._site = site
        self._transfer = ArtifactTransfer(store, handed_over=site.handed_over)
        self._logs = LogBuffer()
        self._share = share
        self._demand_of = demand_of
        self._lock = threading.Lock()
        self._running: dict[str, Step] = {}  # by the task's key
        self._futures: dict[str, Future[bytes]] = {}
        self._answers: dict[str, Answer] = {}  # that came with the last news of a step, which has ended
        self._submissions: Counter[str] = Counter()
        self._capacity = Capacity(client)
        self._final_failure: Failure | None = None  # why no further step can end
        self._runtime_name = "none"
        self.events = events
        # Dask removes a topic named after a client some time after the client has gone.
        client.subscribe_topic(client.id, self._on_event)
        self._capacity.watch(self._unfinished, lambda text: events.put(Notice(text=text)))

    @property
    def runtime_name(self) -> str:
        """The workers' runtime; "none" until a step has run."""
        return self._runtime_name

    def expect(self, executors: Sequence[ExecutorRef]) -> None:
        """Do nothing: workers start executors when they need them."""

    def dismiss(self, executor: ExecutorRef) -> None:
        """Do nothing: workers keep executors for other builds."""

    def begin(self, step: Step, action: Action, inputs: dict[str, Artifact]) -> None:
        """Submit a step. A step whose demand no worker can ever meet fails at once."""
        demand = self._demand_of(step)
        if (shortage := self._capacity.find_shortage(demand)) is not None:
            self._finish(step, failed_outcome(no_worker_has(step, demand, shortage)))
            return
        if (unsent := self._transfer.send_inputs(step, inputs)) is not None:
            self._finish(step, failed_outcome(unsent))
            return
        key = self._key(action)
        request = StepRequest(
            site=self._site,
            step=msgspec.structs.replace(step, inputs={}),
            action=action,
            inputs=inputs,
            share=self._share,
            damaged=self._transfer.is_doubtful(action),
            topic=self._client.id,
        )
        if self._is_lost:
            self._give_up(_LOST)
        with self._lock:
            failure = self._final_failure
            if failure is None:
                self._running[key] = step
                self._logs.begin(key)
        if failure is not None:
            self._finish(step, failed_outcome(failure))
            return
        try:
            future = self._client.submit(
                _TASK, code_digest(), encode(request), key=key, resources=demand or None, allow_other_workers=False
            )
        except ClosedClientError:  # the scheduler was lost just now
            self._give_up(_LOST)
            return
        with self._lock:
            self._futures[key] = future
        future.add_done_callback(functools.partial(self._on_done, key))

    def _key(self, action: Action) -> str:
        """The task's key. Dask shows the part before the first dash as the kind of task."""
        entry = action.entry.replace("-", "_")
        # Builds with the same action and site share a Dask task; a --fresh build gets its own.
        other = self._site.digest[:8] if self._share else uuid.uuid4().hex[:8]
        key = f"{entry}-{action.key.sha256[:32]}-{other}"
        # A resubmitted action gets a new key, because Dask may still remember how the old task ended.
        self._submissions[key] += 1
        return key if self._submissions[key] == 1 else f"{key}-{self._submissions[key]}"

    def _unfinished(self) -> list[tuple[Step, dict[str, int]]]:
        with self._lock:
            unfinished = list(self._running.values())
        return [(step, self._demand_of(step)) for step in unfinished]

    def _give_up(self, failure: Failure) -> None:
        with self._lock:
            self._final_failure = failure
            unfinished = list(self._running.values())
            self._running.clear()
        for step in unfinished:
            self._finish(step, failed_outcome(failure))

    @property
    def _is_lost(self) -> bool:
        """True when the scheduler is gone: its tasks are cancelled, and later ones would never end."""
        return self._client.status != "running"

    def interrupt(self) -> None:
        """Cancel every task, which ends its step on the worker."""
        with self._lock:
            unfinished, futures = dict(self._running), list(self._futures.values())
            self._running.clear()
            self._futures.clear()
        with contextlib.suppress(OSError, CancelledError):  # the scheduler may be gone
            self._client.cancel(futures)  # tasks that another build waits for too continue
        for key, step in unfinished.items():
            log = self._logs.end(key)
            self.events.put(interrupted(step, log))

    def _on_event(self, event: tuple[float, Any]) -> None:
        """Handle news of a step; ignore Dask's own events."""
        message = event[1]
        data = message.get(_NAME) if isinstance(message, dict) else None
        if data is None:
            return
        news = decode_news(data)
        step = self._running.get(news.key)
        if step is None:
            return
        pass_on(news, step, self._logs, self.events)
        if news.answer is not None:
            self._answers[news.key] = news.answer

    def _on_done(self, key: str, future: Future[bytes]) -> None:
        with self._lock:
            step = self._running.pop(key, None)
            self._futures.pop(key, None)
            answer = self._answers.pop(key, None)
        if step is None:
            return
        self._logs.end(key)
        try:
            if answer is None or future.status != "finished":
                # An answer comes with no news if it is large, or if another build has begun the step.
                answer = decode_answer(future.result())
            self._handle_answer(step, answer)
        except KilledWorker as error:
            self._finish(step, failed_outcome(_lost(step, error)))
        except CancelledError:
            self._finish(step, failed_outcome(_cancelled(step, lost=self._is_lost)))
            if self._is_lost:
                self._give_up(_LOST)
        except ImportError as error:
            message = f"step {step.name}: a worker of the cluster cannot import bskernel"
            failure = Failure(category="environment", message=message, cause=(str(error),), hint=_INSTALL)
            self._finish(step, failed_outcome(failure))
        except Exception as error:  # noqa: BLE001 - raised again in the deciding thread
            # The scheduler may be lost while an answer is fetched: this error comes before the lost status.
            if self._is_lost or (isinstance(error, OSError) and future.status != "error"):
                self._finish(step, failed_outcome(_cancelled(step, lost=True)))
            else:
                self.events.put(Completion(step=step, error=error))
        finally:
            future.release()

    def _handle_answer(self, step: Step, answer: Answer) -> None:
        if isinstance(answer, Rejected):
            self._finish(step, failed_outcome(answer.failure))
            return
        if answer.runtime != "none":
            self._runtime_name = answer.runtime
        if (unfetched := self._transfer.fetch_result(step, answer.outcome)) is not None:
            self._finish(step, failed_outcome(unfetched))
            return
        self.events.put(completion_of(step, answer))

    def _finish(self, step: Step, outcome: StepOutcome) -> None:
        self.events.put(Completion(step=step, outcome=outcome))


def _cancelled(step: Step, *, lost: bool) -> Failure:
    lost_message = f"the cluster's scheduler was lost while it was running step {step.name}"
    message = lost_message if lost else f"step {step.name} was cancelled on the cluster by someone else"
    return msgspec.structs.replace(_LOST, message=message)


def _lost(step: Step, error: KilledWorker) -> Failure:
    return workers_lost(step, error.allowed_failures + 1, f"at {error.last_worker.address}")
